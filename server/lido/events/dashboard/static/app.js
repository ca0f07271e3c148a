"use strict";
// What the page shows is in its address (#from=…&to=…&by=…&language=…): it can be bookmarked and sent.
const DIMENSIONS = ["language", "team", "project", "model", "editor", "feature", "user", "week", "day"];
const FILTERS = DIMENSIONS.slice(0, 7);
const DAY = 86400000;
const $ = (id) => document.getElementById(id);
const iso = (time) => new Date(time).toISOString().slice(0, 10);
const whole = new Intl.NumberFormat("en-GB");
const short = new Intl.NumberFormat("en-GB", { notation: "compact", maximumFractionDigits: 1 });
const percent = (value) => (value === null || value === undefined ? "–" : `${(value * 100).toFixed(value < 0.1 ? 1 : 0)} %`);
const ms = (value) => (value === null || value === undefined ? "–" : `${whole.format(Math.round(value))} ms`);
let plots = [];
let turn = 0;

function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else made.setAttribute(key, value);
  }
  made.append(...children);
  return made;
}

// ---------------------------------------------------------------- what is asked

function state() {
  const asked = new URLSearchParams(location.hash.slice(1));
  const today = Date.now();
  const only = {};
  for (const name of FILTERS) if (asked.has(name)) only[name] = asked.get(name);
  return {
    from: asked.get("from") || iso(today - 27 * DAY),
    to: asked.get("to") || iso(today),
    by: DIMENSIONS.includes(asked.get("by")) ? asked.get("by") : "language",
    people: asked.get("people") || "0",
    only,
  };
}

function go(changes) {
  const now = { ...state(), ...changes };
  const next = new URLSearchParams({ from: now.from, to: now.to, by: now.by });
  if (Number(now.people) > 0) next.set("people", now.people);
  for (const [name, value] of Object.entries(now.only)) next.set(name, value);
  if (location.hash.slice(1) === next.toString()) show();
  else location.hash = next.toString();
}

class NoToken extends Error {}

async function rows(by, now) {
  const query = new URLSearchParams({ by, since: `${now.from}T00:00:00Z`, until: `${iso(Date.parse(now.to) + DAY)}T00:00:00Z` });
  if (Number(now.people) > 0) query.set("min_people", now.people);
  for (const [name, value] of Object.entries(now.only)) query.set(name, value);
  const answer = await fetch(`v1/metrics?${query}`);
  if (answer.status === 401 || answer.status === 403) throw new NoToken();
  return (await body(answer)).rows;
}

async function body(answer) {
  const found = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Error(found.error || `the server answered ${answer.status}`);
  return found;
}

// ---------------------------------------------------------------- what is shown

async function show() {
  const mine = ++turn;
  const now = state();
  controls(now);
  say("Counting …");
  $("numbers").classList.add("busy");
  try {
    const [all, days, groups] = await Promise.all([rows("", now), rows("day", now), rows(now.by, now)]);
    if (mine !== turn) return;
    signedIn();
    if (!all.length || !(all[0].shown || all[0].requests)) {
      $("numbers").hidden = true;
      say(Number(now.people) > 0 ? "Nothing that so many people share in this span." : "Nothing was shown in this span.");
      return;
    }
    $("numbers").hidden = false;
    days.sort((a, b) => (a.day < b.day ? -1 : 1));
    tiles(all[0]);
    funnel(all[0]);
    kept(all[0]);
    charts(days, now);
    table(groups, now);
    say(`${whole.format(all[0].shown)} suggestions shown from ${now.from} to ${now.to} (UTC).`);
  } catch (error) {
    if (mine !== turn) return;
    if (error instanceof NoToken) {
      localStorage.removeItem("lido-reader");
      signedIn();
      $("token").hidden = false;
      $("range").hidden = $("numbers").hidden = true;
      say("These numbers are for people with a reader's token.");
      $("token").querySelector("input").focus();
    } else say(`The numbers cannot be read: ${error.message}. `, true);
  } finally {
    if (mine === turn) $("numbers").classList.remove("busy");
  }
}

function say(text, problem = false) {
  $("status").textContent = text;
  $("status").classList.toggle("problem", problem);
  if (problem) $("status").append(element("button", { type: "button", onclick: show }, "Try again"));
}

// The cookie is out of a script's reach; the name alone says that there is one.
function signedIn() {
  const name = localStorage.getItem("lido-reader");
  $("token").hidden = true;
  $("range").hidden = false;
  $("reader").hidden = !name;
  $("reader").querySelector("span").textContent = name || "";
}

function controls(now) {
  $("from").value = now.from;
  $("to").value = now.to;
  $("people").value = now.people;
  $("by").value = now.by;
  const days = Math.round((Date.parse(now.to) - Date.parse(now.from)) / DAY) + 1;
  for (const button of document.querySelectorAll("[data-days]")) {
    const pressed = now.to === iso(Date.now()) && Number(button.dataset.days) === days;
    button.setAttribute("aria-pressed", String(pressed));
  }
  $("filters").replaceChildren(
    ...Object.entries(now.only).map(([name, value]) => {
      const less = { ...now.only };
      delete less[name];
      const label = `${name}: ${value || "(none)"}`;
      return element("li", {}, element("button", { type: "button", "aria-label": `Remove filter ${label}`, onclick: () => go({ only: less }) }, `${label} ✕`));
    }),
  );
}

function tiles(all) {
  const taken = all.accepted + all.partially_accepted;
  const found = [
    ["Shown", short.format(all.shown)],
    ["Accepted", short.format(taken)],
    ["Acceptance rate", percent(all.acceptance_rate)],
    ["Still there after 2 min", percent(all.retained_2min)],
    ["Lines accepted", short.format(all.accepted_lines)],
    ["Answer, median", ms(all.latency_p50_ms)],
    ["Errors", short.format(all.errors)],
    ["Active people", whole.format(all.active_people)],
    ["Tokens", short.format(all.prompt_tokens + all.completion_tokens)],
  ];
  if (all.cost !== null && all.cost !== undefined) found.push(["Cost", all.cost.toFixed(2)]);
  $("tiles").replaceChildren(...found.map(([name, value]) => element("div", {}, element("dt", {}, name), element("dd", {}, value))));
}

function bars(id, steps) {
  $(id).replaceChildren(
    ...steps.map(([name, text, share]) => {
      const fill = element("i");
      fill.style.width = `${Math.min(100, Math.max(0, (share || 0) * 100))}%`;
      return element("li", {}, element("div", { class: "row" }, element("span", {}, name), element("span", {}, text)), element("div", { class: "bar", "aria-hidden": "true" }, fill));
    }),
  );
}

function funnel(all) {
  const taken = all.accepted + all.partially_accepted;
  const top = Math.max(all.requests, all.shown, 1);
  const stays = all.retained_2min === null || all.retained_2min === undefined ? null : taken * all.retained_2min;
  bars("funnel", [
    ["Asked for", whole.format(all.requests), all.requests / top],
    ["Shown", `${whole.format(all.shown)} · ${percent(all.requests ? all.shown / all.requests : null)} of asked`, all.shown / top],
    ["Accepted, wholly or in part", `${whole.format(taken)} · ${percent(all.acceptance_rate)} of shown`, taken / top],
    ["Still there after 2 min", stays === null ? "not looked yet" : `≈ ${whole.format(Math.round(stays))} · ${percent(all.retained_2min)} of it`, (stays || 0) / top],
  ]);
}

function kept(all) {
  bars("kept", [["30 seconds", "30s"], ["2 minutes", "2min"], ["10 minutes", "10min"], ["the next commit", "commit"]].map(([name, key]) => {
    const value = all[`retained_${key}`];
    return [name, value === null || value === undefined ? "not looked yet" : percent(value), value];
  }));
}

// ---------------------------------------------------------------- charts

function charts(days, now) {
  for (const plot of plots) plot.destroy();
  plots = [];
  // Days without anything are zero, not left out.
  const byDay = new Map(days.map((row) => [row.day, row]));
  const axis = [];
  for (let time = Date.parse(now.from); time <= Date.parse(now.to) && axis.length < 4000; time += DAY) axis.push(time);
  const column = (pick, none = null) => axis.map((time) => {
    const row = byDay.get(iso(time));
    const value = row ? pick(row) : none;
    return value === undefined ? none : value;
  });
  const taken = (row) => row.accepted + row.partially_accepted;
  chart("trend", "Suggestions a day", axis, [
    { label: "shown", data: column((row) => row.shown, 0), colour: "--shown", text: whole.format },
    { label: "accepted", data: column(taken, 0), colour: "--good", text: whole.format },
    { label: "acceptance rate", data: column((row) => row.acceptance_rate), colour: "--warm", scale: "share", text: percent, dash: [5, 4] },
  ], short.format);
  chart("latency", "Milliseconds a day", axis, [
    { label: "median", data: column((row) => row.latency_p50_ms), colour: "--good", text: ms },
    { label: "95th percentile", data: column((row) => row.latency_p95_ms), colour: "--warm", text: ms },
    { label: "first token, median", data: column((row) => row.first_token_p50_ms), colour: "--shown", text: ms, dash: [5, 4] },
  ], (value) => `${short.format(value)} ms`);
}

function chart(id, title, axis, lines, unit) {
  const style = getComputedStyle(document.documentElement);
  const colour = (name) => style.getPropertyValue(name).trim();
  const place = $(id);
  const drawing = element("div", { role: "img", "aria-label": `${title}: ${lines.map((line) => line.label).join(", ")}. The table below has the numbers.` });
  const data = element("details", {}, element("summary", {}, "As a table"));
  const filled = () => {
    if (data.children.length > 1) return;
    data.append(element("div", { tabindex: "0", role: "region", "aria-label": title }, grid(["day", ...lines.map((line) => line.label)],
      axis.map((time, n) => [iso(time), ...lines.map((line) => (line.data[n] === null ? "–" : line.text(line.data[n])))]))));
  };
  data.addEventListener("toggle", filled);
  place.replaceChildren(drawing, data);
  const shares = lines.some((line) => line.scale);
  const look = { stroke: colour("--soft"), grid: { stroke: colour("--line"), width: 1 }, ticks: { stroke: colour("--line"), width: 1 } };
  const plot = new uPlot({
    width: Math.max(240, place.clientWidth),
    height: 230,
    tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), "UTC"),
    cursor: { drag: { x: false, y: false } },
    scales: { y: { range: (_, low, high) => [0, (high || 1) * 1.08] }, share: { range: [0, 1] } },
    axes: [
      { ...look, values: [[86400, "{D} {MMM}", null, null, null, null, null, null, 1], [2592000, "{MMM} {YYYY}", null, null, null, null, null, null, 1]] },
      { ...look, size: 62, values: (_, ticks) => ticks.map((tick) => unit(tick)) },
      ...(shares ? [{ ...look, scale: "share", side: 1, size: 56, grid: { show: false }, values: (_, ticks) => ticks.map((tick) => `${Math.round(tick * 100)} %`) }] : []),
    ],
    series: [
      { label: "day", value: (_, seconds) => (seconds === null ? "–" : iso(seconds * 1000)) },
      ...lines.map((line) => ({
        label: line.label, stroke: colour(line.colour), width: 2, dash: line.dash, scale: line.scale || "y", spanGaps: true,
        points: { show: axis.length < 40, size: 5 }, value: (_, value) => (value === null || value === undefined ? "–" : line.text(value)),
      })),
    ],
  }, [axis.map((time) => time / 1000), ...lines.map((line) => line.data)], drawing);
  plots.push(plot);
}

// ---------------------------------------------------------------- the table

function grid(head, body) {
  return element("table", {}, element("thead", {}, element("tr", {}, ...head.map((name) => element("th", { scope: "col" }, name)))),
    element("tbody", {}, ...body.map((row) => element("tr", {}, ...row.map((cell) => element("td", {}, cell))))));
}

// Of an ISO 8601 week such as 2026-W07: the first one has the 4th of January.
function monday(week) {
  const fourth = Date.parse(`${week.slice(0, 4)}-01-04`);
  return fourth - ((new Date(fourth).getUTCDay() + 6) % 7) * DAY + (Number(week.slice(6)) - 1) * 7 * DAY;
}

function table(groups, now) {
  const name = (row) => {
    const value = row[now.by];
    const label = value || "(none)";
    const change = now.by === "day" ? { from: value, to: value, by: "language" }
      : now.by === "week" ? { from: iso(monday(value)), to: iso(monday(value) + 6 * DAY), by: "day" }
      : { only: { ...now.only, [now.by]: value }, by: FILTERS.find((other) => other !== now.by && !(other in now.only)) || now.by };
    return element("button", { type: "button", "aria-label": `Look at ${now.by} ${label}`, onclick: () => go(change) }, label);
  };
  const made = grid([now.by, "shown", "accepted", "partly", "rejected", "ignored", "rate", "kept 2 min", "lines", "median", "95th", "errors", "people", "cost"],
    groups.slice(0, 500).map((row) => [
      name(row), whole.format(row.shown), whole.format(row.accepted), whole.format(row.partially_accepted), whole.format(row.rejected), whole.format(row.ignored),
      percent(row.acceptance_rate), percent(row.retained_2min), whole.format(row.accepted_lines), ms(row.latency_p50_ms), ms(row.latency_p95_ms),
      whole.format(row.errors), whole.format(row.active_people), row.cost === null || row.cost === undefined ? "–" : row.cost.toFixed(2)]));
  made.prepend(element("caption", { class: "skip" }, `By ${now.by}`));
  $("breakdown").querySelector("table").replaceWith(made);
}

// ---------------------------------------------------------------- the person

$("by").append(...DIMENSIONS.map((name) => element("option", { value: name }, name)));
$("by").addEventListener("change", (event) => go({ by: event.target.value }));
$("people").addEventListener("change", (event) => go({ people: event.target.value }));
for (const id of ["from", "to"]) {
  $(id).addEventListener("change", () => {
    const [from, to] = [$("from").value, $("to").value];
    if (from && to) go(from <= to ? { from, to } : id === "from" ? { from, to: from } : { from: to, to });
  });
}
for (const button of document.querySelectorAll("[data-days]")) {
  button.addEventListener("click", () => go({ from: iso(Date.now() - (button.dataset.days - 1) * DAY), to: iso(Date.now()) }));
}
$("range").addEventListener("submit", (event) => event.preventDefault());
$("token").addEventListener("submit", (event) => {
  event.preventDefault();
  const input = event.target.querySelector("input");
  const asked = { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ token: input.value }) };
  fetch("v1/session", asked).then(body).then((reader) => {
    localStorage.setItem("lido-reader", reader.name);
    input.value = "";
    $("main").focus();
    show();
  }).catch((error) => {
    say(`That did not work: ${error.message}`);
    input.select();
  });
});
$("leave").addEventListener("click", () => {
  fetch("v1/session", { method: "DELETE" }).then(() => {
    localStorage.removeItem("lido-reader");
    show();
  });
});
window.addEventListener("hashchange", show);
window.addEventListener("resize", () => {
  for (const plot of plots) plot.setSize({ width: Math.max(240, plot.root.parentElement.clientWidth), height: 230 });
});
window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", show);
show();
