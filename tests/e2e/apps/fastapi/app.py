"""Notes, as a FastAPI application behind Mangum."""

import base64
from typing import Annotated

from fastapi import Cookie, FastAPI, Header, HTTPException, Query, Request, Response
from fastapi.responses import JSONResponse
from mangum import Mangum
from pydantic import BaseModel, Field

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)

app = FastAPI(title="Notes")
notes = {"1": {"id": "1", "text": "water the plants"}}


class NewNote(BaseModel):
    text: str = Field(min_length=1, max_length=200)


@app.get("/notes")
async def list_notes(
    contains: str = "",
    tag: Annotated[list[str] | None, Query()] = None,
    user_agent: Annotated[str, Header()] = "",
):
    found = [note for note in notes.values() if contains in note["text"]]
    return {"notes": found, "tags": tag or [], "agent": user_agent}


@app.get("/notes/{note_id}")
async def get_note(note_id: str):
    if note_id not in notes:
        raise HTTPException(404, f"there is no note {note_id}")
    return notes[note_id]


@app.post("/notes", status_code=201)
async def add_note(new: NewNote, response: Response):
    note = {"id": str(len(notes) + 1), "text": new.text}
    notes[note["id"]] = note
    response.headers["Location"] = f"/notes/{note['id']}"
    response.set_cookie("last", note["id"])
    response.set_cookie("theme", "dark", httponly=True)
    return note


@app.get("/cookies")
async def cookies(last: Annotated[str | None, Cookie()] = None, theme: Annotated[str | None, Cookie()] = None):
    return {"last": last, "theme": theme}


@app.post("/echo")
async def echo(request: Request):
    return Response(await request.body(), media_type="application/octet-stream")


@app.get("/pixel")
async def pixel():
    return Response(PNG, media_type="image/png")


@app.get("/fails")
async def fails():
    raise RuntimeError("this was to be expected")


@app.exception_handler(RuntimeError)
async def explain(_request, error):
    return JSONResponse({"detail": str(error)}, status_code=418)


handler = Mangum(app, lifespan="off")
