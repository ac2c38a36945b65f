// Elements are built, never parsed: whatever comes from data ends up in text nodes and attribute values.

const PROPERTIES = new Set(["value", "checked", "indeterminate", "disabled", "textContent", "tabIndex"]);
const SVG = "http://www.w3.org/2000/svg";

/** Return a new element; `on*` props are listeners, `data` its dataset, children strings or nodes. */
export function h(tag, props = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "data") Object.assign(element.dataset, value);
    else if (PROPERTIES.has(name)) element[name] = value;
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...nodes(children));
  return element;
}

/** Put `children` in place of what `element` holds. */
export function fill(element, ...children) {
  element.replaceChildren(...nodes(children));
  return element;
}

function nodes(children) {
  return children.flat(3).filter((child) => child !== null && child !== undefined && child !== false);
}

/** Return an icon from the sprite in index.html, hidden from assistive technology. */
export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS(SVG, "use");
  use.setAttribute("href", `#i-${name}`);
  svg.append(use);
  return svg;
}

/** Change the picture of an icon that stands in `element`. */
export function setIcon(element, name) {
  element.querySelector("use").setAttribute("href", `#i-${name}`);
}

/** Return a button with an icon and a name that is read out, shown as a tooltip. */
export function iconButton(name, label, onclick, props = {}) {
  return h("button", { type: "button", class: "icon-button", "aria-label": label, title: label, onclick, ...props }, icon(name));
}

export function button(label, onclick, props = {}) {
  const { icon: picture, ...rest } = props;
  return h("button", { type: "button", class: "button", onclick, ...rest }, picture && icon(picture), h("span", {}, label));
}

/** Say `text` to assistive technology without moving the focus. */
export function announce(text) {
  const place = document.getElementById("announcer");
  place.textContent = "";
  requestAnimationFrame(() => (place.textContent = text));
}

/** Return `work` so that it runs once, `wait_ms` after the last call. */
export function debounced(work, wait_ms) {
  let timer;
  const later = (...args) => {
    clearTimeout(timer);
    timer = setTimeout(() => work(...args), wait_ms);
  };
  later.cancel = () => clearTimeout(timer);
  return later;
}

/** Return true where a key press belongs to a control that takes text. */
export function isTyping(target) {
  return target instanceof HTMLElement && (target.isContentEditable || target.matches("textarea, select, input:not([type=checkbox], [type=radio], [type=range])"));
}

/** Return a colour of the theme as the canvas takes it. */
export function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}
