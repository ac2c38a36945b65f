// Contexts to begin with: what an application may have just said.

/** Pairs of a name and a text. */
export const EXAMPLES = [
  ["A quiet answer", "Lighthouses warn ships with light, and in fog with sound: a horn that answers itself across grey water."],
  ["A scene", "Rain on the tavern roof. The last guests talk in low voices while the fire burns down."],
  ["A battle", "The gate splinters. Riders pour through the smoke and the whole line breaks into a furious charge."],
];
