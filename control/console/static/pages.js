// What single pages have besides what console.js does for all.
"use strict";

// Rows that are dragged: the body of the table has data-sort, the id of the form,
// and a row its position as data-at. Dropping one sends the form.
for (const body of document.querySelectorAll("tbody[data-sort]")) {
  let from = null;
  for (const row of body.querySelectorAll("tr[data-at]")) {
    row.draggable = true;
    row.addEventListener("dragstart", (e) => {
      from = row;
      e.dataTransfer.effectAllowed = "move";
      e.dataTransfer.setData("text/plain", row.dataset.at);
    });
    row.addEventListener("dragend", () => {
      from = null;
      for (const r of body.querySelectorAll(".over")) r.classList.remove("over");
    });
    row.addEventListener("dragover", (e) => {
      if (!from) return;
      e.preventDefault();
      row.classList.add("over");
    });
    row.addEventListener("dragleave", () => row.classList.remove("over"));
    row.addEventListener("drop", (e) => {
      if (!from || from === row) return;
      e.preventDefault();
      const op = document.createElement("button");
      op.name = "op";
      op.value = "move:" + from.dataset.at + ":" + row.dataset.at;
      op.hidden = true;
      const form = document.getElementById(body.dataset.sort);
      form.append(op);
      form.requestSubmit(op);
    });
  }
}

// Forms with a preview beside them: data-preview is the id of the part that a
// change of the form renders again, with the operation "show".
for (const form of document.querySelectorAll("form[data-preview]")) {
  let waiting = 0, asking = null;
  const show = async () => {
    asking?.abort();
    asking = new AbortController();
    const body = new URLSearchParams(new FormData(form));
    body.set("op", "show");
    try {
      const answer = await fetch(form.action || location.href, { method: "POST", body, signal: asking.signal });
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const fresh = page.getElementById(form.dataset.preview);
      if (fresh) document.getElementById(form.dataset.preview).replaceChildren(...fresh.childNodes);
    } catch {
      // The next change asks again.
    }
  };
  form.addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(show, 300);
  });
}

// A draft that is in the page only is not lost by a wrong click.
for (const form of document.querySelectorAll("form[data-keep=yes]")) {
  let leaving = false;
  form.addEventListener("submit", () => { leaving = true; });
  for (const a of form.querySelectorAll("a[href]")) a.addEventListener("click", () => { leaving = true; });
  window.addEventListener("beforeunload", (e) => { if (!leaving) e.preventDefault(); });
}
