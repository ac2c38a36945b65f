// The scenes of a story: what they are called, and the colours of their themes.

const COLOURS = 8;

/** Return what a scene is called: its number and its place. */
export function sceneName({ scenes }, scene) {
  return `Scene ${scenes.indexOf(scene) + 1}${scene.environment ? `: ${scene.environment}` : ""}`;
}

/** Return the number of a scene's theme, for its colour. */
export function themeOf({ scenes }, scene) {
  return [...new Set(scenes.map((one) => one.theme))].indexOf(scene.theme) % COLOURS;
}
