// Build elements. Nothing is parsed as markup: data only ever becomes text nodes and attribute values.

const PROPERTIES = new Set(["value", "checked", "indeterminate", "disabled", "textContent", "tabIndex"]);
const SVG = "http://www.w3.org/2000/svg";

/** Return a new element. Props that start with `on` are listeners, `data` is its dataset; children are strings or nodes. */
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

/** Replace what `element` holds by `children`. */
export function fill(element, ...children) {
  element.replaceChildren(...nodes(children));
  return element;
}

function nodes(children) {
  return children.flat(3).filter((child) => child !== null && child !== undefined && child !== false);
}

/** Return a new SVG element with these attributes. */
export function svg(tag, attributes = {}, ...children) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...nodes(children));
  return element;
}

/** Return an icon from the sprite in index.html, hidden from assistive technology. */
export function icon(name) {
  return svg("svg", { class: "icon", "aria-hidden": "true" }, svg("use", { href: `#i-${name}` }));
}

/** Change the picture of the icon in `element`. The same one is left alone: a new one would swallow a click that is on its way. */
export function setIcon(element, name) {
  const use = element.querySelector("use");
  if (use.getAttribute("href") !== `#i-${name}`) use.setAttribute("href", `#i-${name}`);
}

/** Return a button that shows only an icon; its name is read out and shown as a tooltip. */
export function iconButton(name, label, onclick, props = {}) {
  return h("button", { type: "button", class: "icon-button", "aria-label": label, title: label, onclick, ...props }, icon(name));
}

/** Return a button with a text; `props.icon` names an icon before it. */
export function button(label, onclick, props = {}) {
  const { icon: picture, ...rest } = props;
  return h("button", { type: "button", class: "button", onclick, ...rest }, picture && icon(picture), h("span", {}, label));
}

/** Return the options of a select, from [value, text] pairs. */
export function options(pairs) {
  return pairs.map(([value, text]) => h("option", { value: String(value) }, text));
}

/** Have assistive technology read `text` out; the focus stays where it is. */
export function announce(text) {
  const place = document.getElementById("announcer");
  // The same text twice is read out twice only if the place was empty in between.
  place.textContent = "";
  requestAnimationFrame(() => (place.textContent = text));
}

/** Return a function that runs `work` once, `wait_ms` after its last call; its `cancel()` forgets that call. */
export function debounced(work, wait_ms) {
  let timer;
  const later = (...args) => {
    clearTimeout(timer);
    timer = setTimeout(() => work(...args), wait_ms);
  };
  later.cancel = () => clearTimeout(timer);
  return later;
}

/** Return true when `target` takes text, so that key presses are its own. */
export function isTyping(target) {
  return target instanceof HTMLElement && (target.isContentEditable || target.matches("textarea, select, input:not([type=checkbox], [type=radio], [type=range])"));
}

/** Return a colour of the theme, in the form that a canvas takes. */
export function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}
