// The tracks that are picked on the map, in the address: a few by their ids, many by the lasso that was drawn around them.

import { contains } from "./shapes.js";

const MOST_IDS = 100;
const MOST_CORNERS = 80;

/** Return a lasso with fewer corners, so that it is compared with many tracks at once. */
export function simpler(lasso) {
  const step = Math.max(1, Math.ceil(lasso.length / MOST_CORNERS));
  return lasso.filter((_, at) => at % step === 0);
}

/** Return the parameters of the address for a pick; `corners` are those of the lasso, places on the map. */
export function pickParams(picked, corners) {
  if (picked.length <= MOST_IDS) return { pick: picked.map((point) => point.id), lasso: null };
  return { pick: null, lasso: corners.map(({ x, y }) => `${x.toFixed(3)},${y.toFixed(3)}`).join(" ") };
}

/** Return the ids that an address picks among `points`. */
export function pickedIds(params, points) {
  const ids = new Set(params.getAll("pick"));
  const corners = (params.get("lasso") ?? "").split(" ").map((corner) => corner.split(",").map(Number));
  if (corners.length < 3 || corners.flat().some(Number.isNaN)) return ids;
  const [across, down] = [0, 1].map((axis) => corners.map((corner) => corner[axis]));
  const [left, right, top, bottom] = [Math.min(...across), Math.max(...across), Math.min(...down), Math.max(...down)];
  for (const { id, x, y } of points) if (x >= left && x <= right && y >= top && y <= bottom && contains(corners, [x, y])) ids.add(id);
  return ids;
}
