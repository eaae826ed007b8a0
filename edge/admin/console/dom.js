// Elements made by hand: text is always text, never markup, so nothing that a caller sends can become a script.

const SVG = "http://www.w3.org/2000/svg";

// h("a.big", {href: "#/"}, "text", child) : an element with classes, properties or listeners, and children.
export function h(kind, props, ...children) {
  return build(document.createElement.bind(document), kind, props, children);
}

// The same in SVG.
export function s(kind, props, ...children) {
  return build((name) => document.createElementNS(SVG, name), kind, props, children);
}

function build(create, kind, props, children) {
  if (props === undefined || props === null || props instanceof Node || typeof props !== "object" || Array.isArray(props)) {
    children.unshift(props);
    props = {};
  }
  const [name, ...classes] = kind.split(".");
  const made = create(name);
  if (classes.length) made.classList.add(...classes);
  for (const [key, value] of Object.entries(props)) {
    if (value === undefined || value === null || value === false) continue;
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else if (key === "value" || key === "checked" || key === "disabled") made[key] = value;
    else made.setAttribute(key, value === true ? "" : value);
  }
  add(made, children);
  return made;
}

function add(to, children) {
  for (const child of children) {
    if (child === undefined || child === null || child === false) continue;
    if (Array.isArray(child)) add(to, child);
    else to.append(child instanceof Node ? child : String(child));
  }
}

// Puts these in the place of everything that was in there.
export function fill(to, ...children) {
  to.replaceChildren();
  add(to, children);
  return to;
}
