"""What the local service says: the envelope and the shapes inside it, as the real service's."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from aiohttp import web

from batchgen.api.wire import PREFIX, encode, format_time
from batchgen.job.models import Model, Parameter
from batchgen.local.predictions import LocalPrediction


class RefusedError(Exception):
    """A request that gets no data: the HTTP status and a message that says what to do."""

    def __init__(self, status: int, message: str, *, retry_after: int | None = None) -> None:
        """*retry_after* is in whole seconds and becomes the header of that name."""
        super().__init__(message)
        self.status = status
        self.message = message
        self.retry_after = retry_after

    def response(self) -> web.Response:
        """The refusal as an envelope without data."""
        answer = _envelope(self.status, self.message, None)
        if self.retry_after is not None:
            answer.headers["Retry-After"] = str(self.retry_after)
        return answer


def success(data: object) -> web.Response:
    """HTTP 200 with *data* in the envelope."""
    return _envelope(200, "success", data)


def prediction_data(prediction: LocalPrediction, base: str, now: float) -> dict[str, Any]:
    """``data`` of a submit or result answer; *base* is where this service is reached."""
    status = prediction.status(now)
    count = prediction.images if status == "completed" else 0
    spent = prediction.inference_ms if count else 0
    return {
        "id": prediction.id,
        "model": prediction.model,
        "outputs": [f"{base}/images/{prediction.id}/{index}.png" for index in range(count)],
        "urls": {"get": f"{base}{PREFIX}/predictions/{prediction.id}/result"},
        "has_nsfw_contents": [prediction.nsfw] * count,
        "status": status,
        "created_at": format_time(datetime.fromtimestamp(prediction.created_at, UTC)),
        "error": "",
        "executionTime": spent,
        "timings": {"inference": spent},
    }


def history_item(
    prediction: LocalPrediction, base: str, now: float, *, inputs: bool
) -> dict[str, Any]:
    """The same in a history, where the real service writes times with nine decimals."""
    data = prediction_data(prediction, base, now)
    data["created_at"] = data["created_at"].removesuffix("Z") + "000000Z"
    return data | {"inputs": dict(prediction.request)} if inputs else data


def catalog_entry(model: Model) -> dict[str, Any]:
    """One item of the list of models, its parameters as a JSON Schema."""
    schema = {
        "type": "object",
        "properties": {p.name: _property(p) for p in model.parameters},
        "required": [p.name for p in model.parameters if p.required],
        "x-order-properties": [p.name for p in model.parameters],
    }
    return {
        "model_id": model.id,
        "name": model.id,
        "type": "text-to-image",
        "description": f"Drawn stand-ins with the parameters, sizes and prices of {model.id}.",
        "base_price": (model.price_micros or 0) / 1_000_000,
        "formula": "base_price * (num_images / 1)",
        "api_schema": {
            "api_schemas": [
                {"type": "model_run", "method": "POST", "request_schema": schema},
            ]
        },
    }


def _property(parameter: Parameter) -> dict[str, Any]:
    found = {
        "type": "string" if parameter.kind == "text" else "integer",
        "description": parameter.description,
        "default": parameter.default,
        "enum": list(parameter.choices) or None,
        "minimum": parameter.minimum,
        "maximum": parameter.maximum,
    }
    return {name: value for name, value in found.items() if value is not None}


def _envelope(code: int, message: str, data: object) -> web.Response:
    body: Mapping[str, object] = {"code": code, "message": message, "data": data}
    return web.Response(status=code, body=encode(body), content_type="application/json")
