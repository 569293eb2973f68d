"use strict";
// Two tries, then the answer. The first try counts.
const score = { asked: 0, right: 0 };

function number(text) {
  const plain = text.trim().replace(/[\u2212\u2013]/g, "-").replace(/,/g, ".").replace(/%$/, "");
  const parts = plain.split("/");
  if (parts.length > 2 || parts.some((part) => part.trim() === "" || isNaN(Number(part)))) return NaN;
  return parts.length === 2 ? Number(parts[0]) / Number(parts[1]) : Number(parts[0]);
}

const FUNCTIONS = {
  exp: Math.exp, log: Math.log, ln: Math.log, log2: Math.log2, log10: Math.log10, sqrt: Math.sqrt,
  tanh: Math.tanh, abs: Math.abs, min: Math.min, max: Math.max,
  sigmoid: (x) => 1 / (1 + Math.exp(-x)), clip: (x, low, high) => Math.min(Math.max(x, low), high),
};
const RAISED = "⁰¹²³⁴⁵⁶⁷⁸⁹";

// Arithmetic as Python reads it, as a function of its variables; null where it is none.
function formula(text, names) {
  const spelled = text
    .replace(/[⁰¹²³⁴-⁹]+/g, (run) => "**" + [...run].map((sign) => RAISED.indexOf(sign)).join(""))
    .replace(/[−–]/g, "-").replace(/[·×⋅∗]/g, "*").replace(/÷/g, "/")
    .replace(/\^/g, "**").replace(/√\(/g, "sqrt(").normalize("NFKC");
  const token = /\s*(?:((?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)|([\p{L}_][\p{L}\p{N}_]*)|(\*\*|[-+*/(),]))/uy;
  const tokens = [];
  while (spelled.slice(token.lastIndex).trim()) {
    const found = token.exec(spelled);
    if (!found) return null;
    tokens.push({ number: found[1], name: found[2], sign: found[3] });
  }
  let at = 0;
  const takes = (...signs) => at < tokens.length && signs.includes(tokens[at].sign) ? tokens[at++].sign : "";
  const fail = () => { throw new SyntaxError(); };
  function sum() {
    let left = product();
    for (let sign = takes("+", "-"); sign; sign = takes("+", "-")) {
      const [one, other, plus] = [left, product(), sign === "+"];
      left = (v) => (plus ? one(v) + other(v) : one(v) - other(v));
    }
    return left;
  }
  function product() {
    let left = signed();
    for (let sign = takes("*", "/"); sign; sign = takes("*", "/")) {
      const [one, other, times] = [left, signed(), sign === "*"];
      left = (v) => (times ? one(v) * other(v) : one(v) / other(v));
    }
    return left;
  }
  function signed() {
    const sign = takes("+", "-");
    if (!sign) return power();
    const inner = signed();
    return sign === "-" ? (v) => -inner(v) : inner;
  }
  function power() {
    const base = atom();
    if (!takes("**")) return base;
    const exponent = signed();
    return (v) => base(v) ** exponent(v);
  }
  function atom() {
    if (takes("(")) {
      const inner = sum();
      return takes(")") ? inner : fail();
    }
    const { number: digits, name } = tokens[at++] || {};
    if (digits !== undefined) return () => Number(digits);
    if (name !== undefined && takes("(")) {
      const call = Object.hasOwn(FUNCTIONS, name) ? FUNCTIONS[name] : fail();
      const inner = [sum()];
      while (takes(",")) inner.push(sum());
      return takes(")") ? (v) => call(...inner.map((each) => each(v))) : fail();
    }
    if (name === "pi" || name === "π") return () => Math.PI;
    return names.includes(name) ? (v) => v[name] : fail();
  }
  try {
    const whole = sum();
    return at === tokens.length ? whole : null;
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}

function chosen(box) {
  return [...box.querySelectorAll("input:checked")].map((input) => Number(input.value));
}

// What was answered: {right, said}, or {ask} where nothing can be marked yet.
const judges = {
  choices(box, key) {
    const picked = chosen(box);
    if (!picked.length) return { ask: "Choose first." };
    const right = picked.length === key.right.length && picked.every((n) => key.right.includes(n));
    const hits = picked.filter((n) => key.right.includes(n)).length;
    const said = key.right.length > 1 || picked.length > 1 ? `${hits} of your ${picked.length} choices are right.` : "";
    return { right, said };
  },
  number(box, key) {
    const typed = number(box.querySelector("input").value);
    if (!Number.isFinite(typed)) return { ask: "Type a number, such as 0.375 or 3/8." };
    const within = ([low, high]) => low - 1e-12 <= typed && typed <= high + 1e-12;
    if (within(key.range)) return { right: true };
    const slip = key.slips.find(within);
    return { right: false, html: slip ? slip[2] : "" };
  },
  pairs(box, key) {
    const picked = [...box.querySelectorAll("select")].map((select) => select.value);
    if (picked.includes("")) return { ask: "Choose one in every line." };
    const hits = picked.filter((text, n) => text === key.rights[n]).length;
    return { right: hits === picked.length, said: `${hits} of ${picked.length} pairs are right.` };
  },
  order(box, key) {
    const places = [...box.querySelectorAll("select")].filter((select) => select.value !== "");
    const numbers = places.map((select) => Number(select.value));
    if (new Set(numbers).size < numbers.length) return { ask: "Two blocks have the same place." };
    if (!numbers.length) return { ask: "Give every block that belongs its place." };
    places.sort((one, other) => Number(one.value) - Number(other.value));
    const given = places.map((select) => select.dataset.text);
    const right = given.length === key.blocks.length && given.every((text, n) => text === key.blocks[n]);
    let same = 0;
    while (same < given.length && given[same] === key.blocks[same]) same += 1;
    return { right, said: same ? `The first ${same} are right.` : "The first is not right." };
  },
  line(box, key) {
    const typed = box.querySelector("input").value.trim();
    if (!typed) return { ask: "Type what it prints." };
    const squeezed = (text) => text.replace(/[\s,]+/g, " ").trim();
    return { right: squeezed(typed) === squeezed(key.text) };
  },
  formula(box, key) {
    const names = Object.keys(key.points[0]);
    const typed = formula(box.querySelector("input").value, names);
    if (!typed) return { ask: `Write a formula in ${names.join(", ")}, such as exp(-x) * (1 - y).` };
    const near = (have, want) => Math.abs(have - want) <= 1e-6 * (1e-3 + Math.abs(want));
    return { right: key.points.every((point, n) => near(typed(point), key.values[n])) };
  },
  gaps(box, key) {
    const results = [...box.querySelectorAll(".gap")].map((gap, n) => judges[key.gaps[n].form](gap, key.gaps[n]));
    const open = results.findIndex((result) => result.ask);
    if (open >= 0) return { ask: `Step ${open + 1}: ${results[open].ask}` };
    const wrong = results.flatMap((result, n) => (result.right ? [] : [n + 1]));
    return { right: !wrong.length, said: wrong.length ? `Look at step ${wrong.join(", ")}.` : "" };
  },
};

function reveal(article) {
  article.querySelectorAll(".why, .answer").forEach((part) => { part.hidden = false; });
  article.querySelectorAll("button.check, button.show").forEach((button) => { button.disabled = true; });
}

function count(article, right) {
  if (article.dataset.counted) return;
  article.dataset.counted = "yes";
  score.asked += 1;
  score.right += right ? 1 : 0;
  document.getElementById("score").textContent = `${score.right} of ${score.asked} right at the first try`;
}

function check(article) {
  const key = JSON.parse(article.dataset.key);
  const verdict = article.querySelector(".verdict");
  const result = judges[key.form](article, key);
  if (result.ask) {
    verdict.className = "verdict";
    verdict.textContent = result.ask;
    return;
  }
  count(article, result.right);
  const tries = Number(article.dataset.tries || 0) + 1;
  article.dataset.tries = tries;
  verdict.className = result.right ? "verdict right" : "verdict wrong";
  verdict.textContent = result.right ? "✓ Right." : `✗ Not right. ${result.said || ""}`;
  if (result.html) verdict.insertAdjacentHTML("beforeend", result.html);
  if (result.right || tries >= 2) reveal(article);
}

function tick(article) {
  const boxes = [...article.querySelectorAll(".rubric input")];
  const sum = (list) => list.reduce((total, box) => total + Number(box.dataset.weight), 0);
  const missed = boxes.filter((box) => box.dataset.must && !box.checked).length;
  const musts = missed ? `; ${missed} must${missed > 1 ? "s" : ""} missed` : "";
  article.querySelector(".verdict").textContent =
    `${sum(boxes.filter((box) => box.checked))} of ${sum(boxes)} points${musts}`;
}

document.addEventListener("click", (event) => {
  const article = event.target.closest("article");
  if (event.target.matches("button.check")) check(article);
  if (event.target.matches("button.show")) {
    if (article.dataset.key) count(article, false);
    reveal(article);
  }
});
document.addEventListener("change", (event) => {
  if (event.target.closest(".rubric")) tick(event.target.closest("article"));
});
document.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && event.target.matches("article input[type=text]")) check(event.target.closest("article"));
});
