"""JSON Schemas of the contract's documents, as files for engines in other languages."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from engine.contract import admin, link
from engine.contract.config import Config
from engine.contract.limits import GatewayLimits, Limits
from engine.contract.manifest import Manifest

DIRECTORY = Path(__file__).with_name("schemas")

DOCUMENTS: dict[str, type[BaseModel]] = {
    "manifest": Manifest,
    "config": Config,
    "limits": Limits,
    "gateway-limits": GatewayLimits,
    "hello": link.Hello,
}


def schema_texts() -> dict[str, str]:
    """File name to text of every schema."""
    schemas: dict[str, dict[str, Any]] = {
        name: model.model_json_schema() for name, model in DOCUMENTS.items()
    }
    schemas["admin-request"] = _any_of("A line to the admin socket", list(admin.REQUESTS))
    answers = dict.fromkeys((*admin.ANSWERS.values(), admin.Refused))
    schemas["admin-answer"] = _any_of("A line from the admin socket", list(answers))
    return {f"{name}.schema.json": json.dumps(schema, indent=1) + "\n" for name, schema in schemas.items()}


def _any_of(title: str, models: list[Any]) -> dict[str, Any]:
    definitions: dict[str, Any] = {}
    for model in models:
        schema = model.model_json_schema(ref_template="#/$defs/{model}")
        definitions.update(schema.pop("$defs", {}))
        definitions[model.__name__] = schema
    return {
        "title": title,
        "anyOf": [{"$ref": f"#/$defs/{m.__name__}"} for m in models],
        "$defs": definitions,
    }
