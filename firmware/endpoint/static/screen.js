// Five small helps; every screen works without them.
// 1. A sign of life in the moment of the press.  2. Asking whether anything changed.  3. The keypad.  5. The live view.
// 4. A list that is longer than the screen is seen to its end before the button under it goes on.
"use strict";

const POLL_MS = 500;
const LIVE_MS = 120;

function showWorking(sentence) {
  const overlay = document.getElementById("working");
  overlay.querySelector("p").textContent = sentence;
  overlay.hidden = false;
}

for (const form of document.querySelectorAll("form")) {
  form.addEventListener("submit", (event) => {
    if (form.dataset.sent) { event.preventDefault(); return; }
    form.dataset.sent = "1";
    if (form.dataset.working) showWorking(form.dataset.working);
  });
}

window.addEventListener("pageshow", () => {
  document.getElementById("working").hidden = true;
  for (const form of document.querySelectorAll("form")) delete form.dataset.sent;
});

const version = document.body.dataset.version;
const live = document.getElementById("live");
const address = location.pathname === "/pages" ? "/pages" : "/";

async function poll() {
  const began = performance.now();
  try {
    const answer = await fetch(live ? "/progress?watching" : "/progress", { cache: "no-store" });
    const now = answer.ok ? await answer.json() : {};
    if (now.version !== version) { location.replace(address); return; }
    if (live && now.live) await showLive(now.live);
  } catch (problem) {
    // The screen's own server is away; the next question finds it again.
  }
  setTimeout(poll, Math.max(0, (live ? LIVE_MS : POLL_MS) - (performance.now() - began)));
}

let shown = 0;

async function showLive(now) {
  const before = live.querySelector("img");
  if (now.number && now.number !== shown) {
    const next = new Image();
    next.alt = before.alt;
    next.src = "/live.jpg?" + now.number;
    await next.decode();
    before.replaceWith(next);
    shown = now.number;
  } else if (!now.number) {
    before.hidden = true;
    shown = 0;
  }
  live.querySelector("svg").setAttribute("viewBox", `0 0 ${now.size[0] || 4} ${now.size[1] || 3}`);
  live.querySelector("polygon").setAttribute("points", now.points);
  live.classList.toggle("good", now.good);
  live.classList.toggle("blind", !now.number);
  const caption = live.querySelector("figcaption");
  if (caption.textContent !== now.says) caption.textContent = now.says;
}

if (version) setTimeout(poll, POLL_MS);

const typed = document.getElementById("typed");

function showTyped() {
  const some = typed.value !== "";
  document.body.classList.toggle("typing", some);
  document.querySelector(".save .shown").textContent = typed.value;
}

if (typed) {
  document.body.classList.add("scripted");
  for (const key of document.querySelectorAll("button[name=key]")) {
    key.type = "button";
    key.addEventListener("click", () => {
      typed.value = key.value === "back" ? typed.value.slice(0, -1) : (typed.value + key.value).slice(0, typed.maxLength);
      showTyped();
      typed.focus();
    });
  }
  typed.addEventListener("input", () => { typed.value = typed.value.replace(/[^0-9]/g, ""); showTyped(); });
  showTyped();
}

const onward = document.querySelector("a[data-more]");
const list = document.querySelector("main");
const SEEN_PX = 8;

function unseen() { return list.scrollHeight - list.clientHeight - list.scrollTop > SEEN_PX; }

if (onward) {
  const label = onward.textContent;
  const show = () => { onward.textContent = unseen() ? onward.dataset.more : label; };
  list.addEventListener("scroll", show);
  window.addEventListener("resize", show);
  onward.addEventListener("click", (event) => {
    if (!unseen()) return;
    event.preventDefault();
    const step = list.clientHeight - document.querySelector("footer").offsetHeight;
    list.scrollBy(0, step * 0.8);
  });
  show();
}
