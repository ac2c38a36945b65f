// Tracks that were made for the same text lie at one place. They are spread around it, so that each can be reached.

const GOLDEN_ANGLE = Math.PI * (3 - Math.sqrt(5));
const ROOM = 1.15; // of the size of a mark

/** Give each of `points` its `step`: how far from its place it is drawn, in sizes of a mark. */
export function spread(points) {
  const taken = new Map(); // place -> how many tracks are there already
  for (const point of points) {
    const place = `${point.x},${point.y}`;
    const number = taken.get(place) ?? 0;
    taken.set(place, number + 1);
    // The spiral of a sunflower: the marks stand evenly, and more of them leave the first where they were.
    const [far, angle] = [2 * ROOM * Math.sqrt(number), number * GOLDEN_ANGLE];
    point.step = number ? [far * Math.cos(angle), far * Math.sin(angle)] : [0, 0];
  }
}
