/**
 * The press: a scene and a seed become two or three plates of ink. The same words and seed give the same print.
 * No model is asked; a few words steer what is drawn, the rest is chance.
 */
const SVG = "http://www.w3.org/2000/svg";
const WIDTH = 400;
const HEIGHT = 500;

/** Inks that a Riso printer has: the dark key, the warm one, the light one. */
const INKS = [
  [
    ["Medium Blue", "#3255a4"],
    ["Orange", "#ff6c2f"],
    ["Sunflower", "#ffb511"],
  ],
  [
    ["Teal", "#00838a"],
    ["Bright Red", "#f15060"],
    ["Yellow", "#ffd94a"],
  ],
  [
    ["Federal Blue", "#3d5588"],
    ["Fluorescent Pink", "#ff62b8"],
    ["Aqua", "#7fd3ea"],
  ],
  [
    ["Hunter Green", "#3c6b5b"],
    ["Tomato", "#f2634f"],
    ["Melon", "#ffae5c"],
  ],
  [
    ["Burgundy", "#8a4568"],
    ["Sunflower", "#ffb511"],
    ["Mint", "#8fd6c1"],
  ],
  [
    ["Black", "#383434"],
    ["Scarlet", "#f65058"],
    ["Light Gray", "#bdc3c4"],
  ],
];
const WINTER = 2;
const NIGHT = [0, 2, 5];

const SCENES = [
  [/harbour|harbor|sea|boat|ship|lake|river|coast|beach|sail|island/i, harbour],
  [/hill|mountain|valley|rain|ridge|alp|desert|dune|forest/i, hills],
  [/market|lantern|night|moon|city|street|window|town|star/i, night],
  [/grove|garden|orange|tree|flower|leaf|fruit|lemon|plant|bloom/i, grove],
];

/** 32 bits of a text: FNV-1a. */
export function hash(text) {
  let bits = 0x811c9dc5;
  for (const letter of text) bits = Math.imul(bits ^ letter.codePointAt(0), 0x01000193);
  return bits >>> 0;
}

/** Numbers in [0, 1), the same for the same seed: mulberry32. */
function chance(seed) {
  let state = seed >>> 0;
  const next = () => {
    state = (state + 0x6d2b79f5) | 0;
    let bits = Math.imul(state ^ (state >>> 15), state | 1);
    bits ^= bits + Math.imul(bits ^ (bits >>> 7), bits | 61);
    return ((bits ^ (bits >>> 14)) >>> 0) / 4294967296;
  };
  return {
    next,
    between: (from, to) => from + (to - from) * next(),
    pick: (list) => list[Math.floor(next() * list.length)],
  };
}

export function make(name, attributes = {}, ...children) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

const round = (value) => Math.round(value * 10) / 10;
const line = (points) => points.map(([x, y], index) => `${index ? "L" : "M"}${round(x)} ${round(y)}`).join("");

/** White ink: printed over what is below it on the same plate, it lets the paper and the other plates through. */
const CUT = { fill: "#fff" };

/** One ink's plate: shapes are added in order. */
class Plate {
  constructor(colour) {
    this.colour = colour;
    this.group = make("g", { class: "plate", fill: colour });
  }
  path(d, attributes = {}) {
    this.group.append(make("path", { d, ...attributes }));
  }
  circle(cx, cy, r, attributes = {}) {
    this.group.append(make("circle", { cx: round(cx), cy: round(cy), r: round(r), ...attributes }));
  }
  stroke(d, width, attributes = {}) {
    this.path(d, { fill: "none", stroke: this.colour, "stroke-width": round(width), ...attributes });
  }
  /** A tone in dots on a turned grid, from one strength at the top to another at the bottom. */
  tone(top, bottom, from, to, step = 7.5) {
    const rows = (bottom - top) / (step * 0.866);
    let d = "";
    for (let row = 0; row <= rows; row++) {
      const y = top + row * step * 0.866;
      const r = round((from + ((to - from) * row) / rows) * step * 0.6);
      if (r < 0.3) continue;
      for (let x = row % 2 ? step / 2 : 0; x < WIDTH + step; x += step) {
        d += `M${round(x - r)} ${round(y)}a${r} ${r} 0 1 0 ${2 * r} 0a${r} ${r} 0 1 0 ${-2 * r} 0`;
      }
    }
    this.path(d);
  }
}

/** An outline that wanders: a few slow waves on top of each other. */
function wander(random, amplitude, slowness) {
  const waves = [1, 2.1, 4.3].map((rate) => [rate / slowness, random.between(0, 7), amplitude / rate]);
  return (x) => waves.reduce((sum, [rate, phase, size]) => sum + Math.sin(x * rate + phase) * size, 0);
}

function harbour({ key, warm, light, random, words }) {
  const horizon = random.between(215, 275);
  const isLow = /dusk|low|evening|sunset|dawn/i.test(words);
  const sun = {
    x: random.between(130, 290),
    y: horizon - (isLow ? random.between(8, 34) : random.between(80, 120)),
    r: random.between(62, 88),
  };
  light.tone(0, horizon, 0.28, 1);
  const above = `M${round(sun.x - sun.r)} ${round(sun.y)}`;
  if (isLow) {
    const half = Math.sqrt(sun.r ** 2 - (horizon - sun.y) ** 2);
    warm.path(
      `M${round(sun.x - half)} ${round(horizon)}A${round(sun.r)} ${round(sun.r)} 0 1 1 ${round(sun.x + half)} ${round(horizon)}Z`,
    );
  } else
    warm.path(
      `${above}a${round(sun.r)} ${round(sun.r)} 0 1 0 ${round(2 * sun.r)} 0a${round(sun.r)} ${round(sun.r)} 0 1 0 ${round(-2 * sun.r)} 0`,
    );
  // Its light on the water, broken by the waves.
  for (let y = horizon + 9, i = 0; y < HEIGHT - 30; y += 9 + i * 1.5, i++) {
    const width = sun.r * (1.15 - i * 0.05) * random.between(0.55, 1);
    const x = sun.x + random.between(-9, 9);
    warm.stroke(`M${round(x - width)} ${round(y)}h${round(2 * width)}`, 3 + i * 0.42, { "stroke-linecap": "round" });
  }
  // The far shore, then the water in bands that widen towards us.
  const shore = wander(random, 9, 42);
  const far = [];
  for (let x = -10; x <= WIDTH + 10; x += 6)
    far.push([x, horizon - 10 - Math.abs(shore(x)) * (Math.abs(x - sun.x) / 180)]);
  key.path(`${line(far)}V${round(horizon)}H-10Z`);
  for (let y = horizon + 2, i = 0; y < HEIGHT + 20; y += 8 + i * 2.1, i++) {
    const wave = wander(random, 1 + i * 0.35, 20 + i * 3);
    const upper = [];
    const lower = [];
    for (let x = -8; x <= WIDTH + 8; x += 8) {
      upper.push([x, y + wave(x)]);
      lower.unshift([x, y + wave(x) + 2 + i * 0.8]);
    }
    key.path(`${line(upper)}${line(lower).replace("M", "L")}Z`);
  }
  const count = /three|3/i.test(words) ? 3 : 1 + Math.floor(random.next() * 3);
  for (let i = 0; i < count; i++) {
    const size = 0.72 + i * 0.42;
    boat(
      [key, warm, light],
      70 + ((i * 2 + 1) * 260) / (2 * count) + random.between(-14, 14),
      horizon + 34 + i * 52,
      size,
    );
  }
}

function boat([key, warm, light], x, y, size) {
  const at = (dx, dy) => `${round(x + dx * size)} ${round(y + dy * size)}`;
  const hull = `M${at(-34, 0)}L${at(34, 0)}L${at(23, 15)}L${at(-25, 15)}Z`;
  const mast = `M${at(-1.2, 0)}V${round(y - 82 * size)}h${round(2.4 * size)}V${round(y)}Z`;
  const large = `M${at(4, -78)}Q${at(34, -40)} ${at(31, -6)}L${at(4, -6)}Z`;
  const small = `M${at(-4, -68)}Q${at(-26, -34)} ${at(-27, -6)}L${at(-4, -6)}Z`;
  // It stands before sun and waves: they are cut away where it is.
  for (const plate of [key, warm]) plate.path(hull + large + small, CUT);
  light.path(large + hull, CUT);
  key.path(hull + mast + large);
  light.path(small);
}

function hills({ key, warm, light, random, words }) {
  const isWet = /rain|storm|wet/i.test(words);
  light.tone(0, 330, 0.9, 0.15);
  warm.circle(random.between(110, 300), random.between(120, 175), random.between(50, 72));
  const plates = [light, warm, key, warm, key];
  plates.forEach((plate, index) => {
    const base = 205 + index * 58;
    const ridge = wander(random, 34 - index * 3, 52 + index * 9);
    const points = [];
    for (let x = -10; x <= WIDTH + 10; x += 5) points.push([x, base + ridge(x)]);
    if (index === 1 || index === 3) {
      // Ploughed: lines that follow the ridge and spread towards us.
      for (let i = 0; i < 15; i++)
        plate.stroke(line(points.map(([x, y]) => [x, y + i * i * 0.55 + i * 4])), 2.6 + i * 0.12);
    } else plate.path(`${line(points)}V${HEIGHT + 10}H-10Z`, index === 2 ? { opacity: 0.86 } : {});
    if (index === 2) trees(key, points, random);
  });
  if (isWet) {
    let d = "";
    for (let i = 0; i < 70; i++) {
      const x = random.between(-20, WIDTH + 40);
      const y = random.between(-10, 330);
      const length = random.between(14, 40);
      d += `M${round(x)} ${round(y)}l${round(-length * 0.28)} ${round(length)}`;
    }
    key.stroke(d, 1.3, { "stroke-linecap": "round", opacity: 0.75 });
  }
}

function trees(plate, ridge, random) {
  for (let i = 0; i < 9; i++) {
    const [x, y] = random.pick(ridge);
    const height = random.between(16, 34);
    plate.path(
      `M${round(x)} ${round(y - height)}l${round(height * 0.2)} ${round(height + 6)}h${round(-height * 0.4)}Z`,
    );
  }
}

function night({ key, warm, light, random }) {
  const moon = { x: random.between(95, 305), y: random.between(92, 130), r: random.between(44, 60) };
  const ring = (r) => `M${round(moon.x - r)} ${round(moon.y)}a${r} ${r} 0 1 0 ${2 * r} 0a${r} ${r} 0 1 0 ${-2 * r} 0`;
  // The sky is printed around the moon, so that the paper shines.
  key.path(`M-10-10H410V${HEIGHT + 10}H-10Z${ring(Math.round(moon.r))}`, { "fill-rule": "evenodd", opacity: 0.5 });
  key.tone(0, 300, 0.85, 0);
  key.path(ring(Math.round(moon.r)), CUT);
  light.circle(moon.x + 3, moon.y - 2, moon.r + 16);
  light.tone(150, 330, 0, 0.9);
  light.path(`M-10 330H410V${HEIGHT + 10}H-10Z`);
  let x = -14;
  while (x < WIDTH) {
    const width = random.between(52, 88);
    const top = random.between(225, 300);
    house(key, light, x, top, width, random);
    x += width - 2;
  }
  // Two strings of lanterns across the street.
  for (const [y, sag, size] of [
    [250, 52, 15],
    [330, 66, 21],
  ]) {
    const drop = (at) => y + sag * (1 - ((at - 200) / 220) ** 2);
    key.stroke(`M-10 ${round(drop(-10))}Q200 ${round(2 * drop(200) - drop(-10))} 410 ${round(drop(410))}`, 1.6);
    for (let at = 24 + random.between(0, 16); at < WIDTH; at += size * 3.1) {
      const middle = drop(at) + size * 1.05;
      const tall = size * random.between(0.95, 1.25);
      const lantern = { cx: round(at), cy: round(middle), rx: size, ry: round(tall) };
      for (const plate of [key, light]) plate.group.append(make("ellipse", { ...lantern, ...CUT }));
      warm.group.append(make("ellipse", lantern));
      key.stroke(
        `M${round(at - size * 0.45)} ${round(middle - tall * 0.86)}h${round(size * 0.9)}M${round(at - size * 0.45)} ${round(middle + tall * 0.86)}h${round(size * 0.9)}`,
        2.2,
      );
    }
  }
}

/** A front, and light in most of its arched windows. */
function house(key, light, x, top, width, random) {
  const roof =
    random.next() > 0.5
      ? `l${round(width / 2)} ${round(-width * 0.36)}l${round(width / 2)} ${round(width * 0.36)}`
      : `h${round(width)}`;
  key.path(`M${round(x)} ${round(top)}${roof}V${HEIGHT + 10}H${round(x)}Z`);
  const panes = width > 68 ? 3 : 2;
  const pane = width / (panes * 1.7);
  let windows = "";
  for (let y = top + 26; y < HEIGHT - 30; y += pane * 2.7) {
    for (let i = 0; i < panes; i++) {
      if (random.next() < 0.3) continue;
      const left = x + (width * (i + 0.5)) / panes - pane / 2;
      windows += `M${round(left)} ${round(y + pane * 1.6)}v${round(-pane)}a${round(pane / 2)} ${round(pane / 2)} 0 0 1 ${round(pane)} 0v${round(pane)}Z`;
    }
  }
  key.path(windows, CUT);
  light.path(windows);
}

function grove({ key, warm, light, random, words }) {
  const isWinter = /winter|snow|frost|cold/i.test(words);
  light.tone(0, HEIGHT, isWinter ? 0.5 : 0.15, isWinter ? 0.12 : 0.9);
  warm.path(`M-10 ${HEIGHT + 10}V400Q120 ${random.between(372, 396)} 220 402T410 392V${HEIGHT + 10}Z`);
  for (const [x, base, size] of [
    [random.between(60, 100), 408, 0.74],
    [random.between(300, 350), 416, 0.86],
    [random.between(170, 230), 448, 1.25],
  ]) {
    tree(key, warm, light, x, base, size, random, isWinter);
  }
  if (isWinter) {
    for (let i = 0; i < 90; i++) {
      key.circle(random.between(0, WIDTH), random.between(0, HEIGHT), random.between(0.8, 2.4), { opacity: 0.7 });
    }
  }
}

function tree(key, warm, light, x, base, size, random, isBare) {
  const crown = { x: x + random.between(-8, 8), y: base - 215 * size, r: 92 * size };
  key.path(
    `M${round(x - 8 * size)} ${base}Q${round(x - 2)} ${round(base - 70 * size)} ${round(crown.x - 3 * size)} ${round(crown.y + 20)}h${round(6 * size)}Q${round(x + 6 * size)} ${round(base - 70 * size)} ${round(x + 10 * size)} ${base}Z`,
  );
  light.circle(crown.x + 5, crown.y - 4, crown.r * 0.96);
  for (let i = 0; i < (isBare ? 78 : 96); i++) {
    const angle = i * 2.39996;
    const far = Math.sqrt((i + 0.5) / 96) * crown.r;
    const leaf = { x: crown.x + Math.cos(angle) * far, y: crown.y + Math.sin(angle) * far * 0.94 };
    const turn = round((angle * 180) / Math.PI + random.between(-30, 30));
    const long = random.between(9, 14) * size;
    key.group.append(
      make("ellipse", {
        cx: round(leaf.x),
        cy: round(leaf.y),
        rx: round(long),
        ry: round(long * 0.36),
        transform: `rotate(${turn} ${round(leaf.x)} ${round(leaf.y)})`,
      }),
    );
  }
  for (let i = 0; i < 11; i++) {
    const angle = random.between(0, 6.28);
    const far = Math.sqrt(random.next()) * crown.r * 0.86;
    const fruit = [crown.x + Math.cos(angle) * far, crown.y + Math.sin(angle) * far, random.between(8.5, 11.5) * size];
    key.circle(...fruit, CUT);
    warm.circle(...fruit);
  }
}

/** What no word steers: quarter circles on a grid, as in a composing exercise. */
function tiles({ key, warm, light, random }) {
  const size = 100;
  const plates = [key, warm, light];
  light.tone(0, HEIGHT, 0.1, 0.7);
  for (let row = 0; row < 5; row++) {
    for (let column = 0; column < 4; column++) {
      const x = column * size;
      const y = row * size;
      const plate = random.pick(plates);
      const turn = Math.floor(random.next() * 4) * 90;
      const transform = `rotate(${turn} ${x + 50} ${y + 50})`;
      const kind = random.next();
      if (kind < 0.42) plate.path(`M${x} ${y}h100a100 100 0 0 1-100 100Z`, { transform });
      else if (kind < 0.62) plate.path(`M${x} ${y + 50}a50 50 0 0 1 100 0Z`, { transform });
      else if (kind < 0.78) plate.circle(x + 50, y + 50, random.pick([50, 34, 20]));
      else if (kind < 0.92) for (let i = 0; i < 5; i++) plate.path(`M${x} ${y + i * 20}h100v9h-100Z`, { transform });
      if (random.next() < 0.3)
        random
          .pick(plates)
          .path(`M${x} ${y}h100v100Z`, { transform: `rotate(${(turn + 180) % 360} ${x + 50} ${y + 50})` });
    }
  }
}

/**
 * @param {{scene: string, seed: number, inks: "two" | "three", palette?: number}} order
 * @returns {{svg: SVGElement, plates: SVGElement[], inks: [name: string, colour: string][], palette: number}}
 */
export function pull({ scene, seed, inks, palette }) {
  const random = chance(hash(scene.toLowerCase()) ^ seed);
  const fitting = suit(scene, random);
  const loaded = (palette ?? fitting) % INKS.length;
  const used = INKS[loaded].slice(0, inks === "two" ? 2 : 3);
  const [key, warm] = used.map(([, colour]) => new Plate(colour));
  const light = new Plate(used[2]?.[1] ?? used[1][1]);
  const compose = SCENES.find(([words]) => words.test(scene))?.[1] ?? tiles;
  compose({ key, warm, light, random, words: scene });
  // Paper moves a little between two passes through the press.
  const slip = () => `translate(${round(random.between(-2.2, 2.2))} ${round(random.between(-2.2, 2.2))})`;
  warm.group.setAttribute("transform", slip());
  light.group.setAttribute("transform", slip());
  const plates = [...(used[2] ? [light] : [faded(light)]), warm, key].map(({ group }) => group);
  const svg = make("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, "aria-hidden": "true" }, ...plates);
  return { svg, plates, inks: used, palette: loaded };
}

/** Inks that go with the words: cold ones for winter, dark ones for the night. */
function suit(scene, random) {
  if (/winter|snow|frost/i.test(scene)) return WINTER;
  return /night|moon|star/i.test(scene) ? random.pick(NIGHT) : Math.floor(random.next() * INKS.length);
}

/** With two inks the third plate is a lighter tone of the second ink. */
function faded(plate) {
  plate.group.setAttribute("opacity", "0.35");
  return plate;
}
