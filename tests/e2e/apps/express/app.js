// Notes, as an Express application. `index.mjs` runs it as a function, `server.mjs` as a server of its own.

import express from "express";

const PNG = Buffer.from(
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==",
  "base64",
);
const notes = new Map([["1", { id: "1", text: "water the plants" }]]);

export const app = express();
app.use(express.json());

app.get("/notes", (request, response) => {
  const { contains = "", tag = [] } = request.query;
  const found = [...notes.values()].filter((note) => note.text.includes(contains));
  response.json({ notes: found, tags: [tag].flat(), agent: request.get("user-agent") });
});

app.get("/notes/:id", (request, response) => {
  const note = notes.get(request.params.id);
  if (!note) return response.status(404).json({ message: `there is no note ${request.params.id}` });
  response.json(note);
});

app.post("/notes", (request, response) => {
  if (!request.body?.text) return response.status(400).json({ message: "a note has a text" });
  const note = { id: String(notes.size + 1), text: request.body.text };
  notes.set(note.id, note);
  response.cookie("last", note.id).cookie("theme", "dark", { httpOnly: true });
  response.status(201).location(`/notes/${note.id}`).json(note);
});

app.get("/cookies", (request, response) => response.json({ cookies: request.get("cookie") ?? "" }));

app.post("/echo", express.raw({ type: "*/*", limit: "5mb" }), (request, response) => {
  response.type("application/octet-stream").send(request.body);
});

app.get("/pixel", (_request, response) => response.type("image/png").send(PNG));

app.get("/fails", () => {
  throw new Error("this was to be expected");
});

app.use((error, _request, response, _next) => response.status(418).json({ message: error.message }));
