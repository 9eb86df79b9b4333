"""A server as vLLM and SGLang are: OpenAI's completions by token ids over transformers, one prefix, no turn blocks.

It reads the checkpoint's folder with transformers and shares no code with the engine; the shape of its replies is the
documented one of `return_token_ids`.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import torch
import transformers
from fastapi import FastAPI
from fastapi.responses import JSONResponse, Response, StreamingResponse


@dataclass
class OtherServer:
    """Serves one folder under the name `acme`; `is_causal` is the attention backend that ignores the prefix.

    `refusals` are sent first, one a request, each a status and its headers; `tells_ids` is false for an older server.
    `breaks_after` tokens the connection ends.
    """

    folder: Path
    is_causal: bool = False
    tells_ids: bool = True
    breaks_after: int | None = None
    refusals: list[tuple[int, dict[str, str]]] = field(default_factory=list)
    asked: list[dict[str, Any]] = field(default_factory=list)

    def app(self) -> FastAPI:
        api = FastAPI()
        model = _loaded(self.folder)

        @api.get("/v1/models")
        def models() -> dict[str, Any]:
            return {"object": "list", "data": [{"id": "acme", "object": "model", "max_model_len": 400}]}

        @api.post("/v1/completions")
        def complete(body: dict[str, Any]) -> Response:
            self.asked.append(body)
            if self.refusals:
                status, headers = self.refusals.pop(0)
                return JSONResponse({"error": {"message": "too many requests"}}, status, headers=headers)
            written = self._written(model, body)
            if body.get("stream"):
                return StreamingResponse(self._events(written, body), media_type="text/event-stream")
            pairs = list(written)
            finish = _finish(body, len(pairs))
            return JSONResponse({"choices": [self._choice(pairs, finish)], "usage": self._usage(body, len(pairs))})

        return api

    @torch.inference_mode()
    def _written(self, model: Any, body: dict[str, Any]) -> Iterator[tuple[int, float]]:
        prompt, response = list(body["prompt"]), list[int]()
        generator = torch.Generator().manual_seed(body.get("seed", 0))
        while len(response) < body["max_tokens"]:
            ids = torch.tensor([prompt + response])
            types = torch.tensor([[int(not self.is_causal)] * len(prompt) + [0] * len(response)])
            logits = model(input_ids=ids, token_type_ids=types, use_cache=False).logits[0, -1]
            if body["temperature"]:
                shares = torch.softmax(logits / body["temperature"], -1)
                token = int(torch.multinomial(shares, 1, generator=generator))
            else:
                token = int(logits.argmax())
            response.append(token)
            yield token, float(torch.log_softmax(logits, -1)[token])
            if token == model.config.eos_token_id:
                return

    def _events(self, written: Iterator[tuple[int, float]], body: dict[str, Any]) -> Iterator[str]:
        count = 0
        for pair in written:
            if count == self.breaks_after:
                return
            count += 1
            yield f"data: {json.dumps({'choices': [self._choice([pair], None)]})}\n\n"
        yield f"data: {json.dumps({'choices': [self._choice([], _finish(body, count))]})}\n\n"
        yield f"data: {json.dumps({'choices': [], 'usage': self._usage(body, count)})}\n\ndata: [DONE]\n\n"

    def _choice(self, pairs: list[tuple[int, float]], finish: str | None) -> dict[str, Any]:
        choice: dict[str, Any] = {"index": 0, "text": "." * len(pairs), "finish_reason": finish}
        choice["logprobs"] = {"token_logprobs": [said for _, said in pairs]} if pairs else None
        return choice | ({"token_ids": [token for token, _ in pairs]} if self.tells_ids else {})

    def _usage(self, body: dict[str, Any], count: int) -> dict[str, Any]:
        return {"prompt_tokens": len(body["prompt"]), "completion_tokens": count}


@cache
def _loaded(folder: Path) -> Any:
    return transformers.HrmTextForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()


def _finish(body: dict[str, Any], count: int) -> str:
    return "length" if count == body["max_tokens"] else "stop"
