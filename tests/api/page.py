"""The answer that the API page shows for a prediction that is completed."""

from typing import Any

ID = "0123456789abcdef0123456789abcdef"
PAGE: dict[str, Any] = {
    "id": ID,
    "model": "wavespeed-ai/imagen4",
    "outputs": ["https://cdn.example/1.png", "https://cdn.example/2.png"],
    "urls": {"get": f"https://api.wavespeed.ai/api/v3/predictions/{ID}/result"},
    "has_nsfw_contents": [False, True],
    "status": "completed",
    "created_at": "2023-04-01T12:34:56.789Z",
    "error": "",
    "timings": {"inference": 2345},
}
