// Marks on the map. Each group has a shape of its own, for readers who cannot tell the colours apart.

const POLYGONS = {
  diamond: [[0, -1.2], [1.2, 0], [0, 1.2], [-1.2, 0]],
  triangle: [[0, -1.1], [1.1, 0.9], [-1.1, 0.9]],
  down: [[0, 1.1], [1.1, -0.9], [-1.1, -0.9]],
};
const CROSS = [[1, 1], [1, -1]];

/** The shapes of the groups in turn; "dot" is that of the others. */
export const SHAPES = ["circle", "square", "triangle", "diamond", "cross", "ring", "down", "bar"];

/** Draw a shape around (x, y); a circle has `size` as its radius, the others look as large. */
export function mark(pen, shape, x, y, size, paint) {
  pen.fillStyle = pen.strokeStyle = paint;
  pen.lineWidth = Math.max(1.5, size / 2.4);
  pen.beginPath();
  outline(pen, shape, x, y, size);
  if (shape === "ring" || shape === "cross") pen.stroke();
  else pen.fill();
}

function outline(pen, shape, x, y, size) {
  if (shape in POLYGONS) polygon(pen, POLYGONS[shape].map(([dx, dy]) => [x + dx * size, y + dy * size]));
  else if (shape === "square") pen.rect(x - size * 0.9, y - size * 0.9, size * 1.8, size * 1.8);
  else if (shape === "bar") pen.rect(x - size * 1.15, y - size * 0.4, size * 2.3, size * 0.8);
  else if (shape === "cross") cross(pen, x, y, size * 0.85);
  else {
    const radius = size * ({ dot: 0.55, ring: 0.85 }[shape] ?? 1);
    pen.moveTo(x + radius, y);
    pen.arc(x, y, radius, 0, 7);
  }
}

/** Add a closed path through these corners. */
export function polygon(pen, corners) {
  corners.forEach(([x, y], at) => (at ? pen.lineTo(x, y) : pen.moveTo(x, y)));
  pen.closePath();
}

function cross(pen, x, y, reach) {
  for (const [dx, dy] of CROSS) {
    pen.moveTo(x - dx * reach, y - dy * reach);
    pen.lineTo(x + dx * reach, y + dy * reach);
  }
}

/** Return true when a point lies in a polygon: a ray from it crosses the edge an odd number of times. */
export function contains(corners, [x, y]) {
  let inside = false;
  for (let i = 0, j = corners.length - 1; i < corners.length; j = i++) {
    const a = corners[i]; // no arrays are made here: it runs for each edge and each of many thousand tracks
    const b = corners[j];
    if (a[1] > y !== b[1] > y && x < ((b[0] - a[0]) * (y - a[1])) / (b[1] - a[1]) + a[0]) inside = !inside;
  }
  return inside;
}
