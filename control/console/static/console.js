// Makes pages more comfortable. Everything but dragging works without it.
"use strict";

// setUp prepares what is below root: the page, or a part that was loaded again.
function setUp(root) {
  // Times in the zone of whoever reads them.
  for (const t of root.querySelectorAll("time[datetime]")) {
    const at = new Date(t.dateTime);
    if (isNaN(at)) continue;
    t.title = t.textContent;
    t.textContent = at.toLocaleString([], t.dataset.show === "clock" && at.toDateString() === new Date().toDateString() ?
      { timeStyle: "short" } : { dateStyle: "medium", timeStyle: "short" });
  }
  // Buttons that copy: data-copy is the id of what they copy.
  for (const b of root.querySelectorAll("button[data-copy]")) {
    if (!navigator.clipboard) continue;
    b.hidden = false;
    b.addEventListener("click", async () => {
      await navigator.clipboard.writeText(document.getElementById(b.dataset.copy).textContent);
      b.classList.add("done");
      const label = b.textContent;
      b.textContent = "✓ " + label;
      setTimeout(() => { b.textContent = label; }, 2000);
    });
  }
  // Choices that send their form at once: data-send on a select; the button
  // beside it, data-send too, is for those without script.
  for (const s of root.querySelectorAll("select[data-send]")) {
    s.addEventListener("change", () => s.form.requestSubmit());
  }
  for (const b of root.querySelectorAll("button[data-send]")) b.hidden = true;
  // What scrolls and has nothing to go to inside is gone to itself.
  for (const s of root.querySelectorAll(".scroll")) {
    if (!s.querySelector("a, button, input, summary")) s.tabIndex = 0;
  }
  // Parts that load themselves again: data-refresh has the seconds. A part
  // without it in the answer has come to its end.
  for (const part of root.querySelectorAll("[data-refresh][id]")) again(part);
}

function again(part) {
  setTimeout(async () => {
    if (!part.isConnected) return;
    if (document.hidden || part.contains(document.activeElement)) return again(part);
    try {
      const answer = await fetch(location.href, { headers: { "X-Part": part.id } });
      if (!answer.ok || answer.redirected) return;
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const fresh = page.getElementById(part.id);
      if (!fresh) return;
      part.replaceWith(fresh);
      setUp(fresh.parentElement === null ? document : wrap(fresh));
    } catch {
      again(part); // the server may be back soon
    }
  }, Number(part.dataset.refresh) * 1000);
}

// wrap lets setUp find what carries its attributes on part itself.
function wrap(part) {
  return { querySelectorAll: (s) => [...(part.matches(s) ? [part] : []), ...part.querySelectorAll(s)] };
}

// A form that was sent is not sent again by a second click.
document.addEventListener("submit", (e) => {
  if (e.target.dataset.sent) return e.preventDefault();
  e.target.dataset.sent = "yes";
  setTimeout(() => { delete e.target.dataset.sent; }, 5000);
});

// Menus in the bar close when one goes elsewhere.
document.addEventListener("click", (e) => {
  for (const d of document.querySelectorAll("details.drop[open]")) if (!d.contains(e.target)) d.open = false;
});
document.addEventListener("keydown", (e) => {
  if (e.key !== "Escape") return;
  for (const d of document.querySelectorAll("details.drop[open]")) {
    d.open = false;
    d.querySelector("summary").focus();
  }
  if (location.hash === "#menu") location.hash = "#main";
});

setUp(document);
document.querySelector("[data-focus]")?.focus();
