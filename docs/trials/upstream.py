"""A model provider on loopback that answers "pong" in the formats of all agents.

usage: upstream.py LOG

Prints its port. Writes one JSON line a request: method, path, model, and the key as it came.
"""

import http.server
import json
import sys

LOG = open(sys.argv[1], "a", buffering=1)
KEY_HEADERS = ("authorization", "x-api-key", "x-goog-api-key", "api-key")


def sse(events, named=True):
    text = ""
    for event in events:
        if named:
            text += f"event: {event['type']}\n"
        text += "data: " + json.dumps(event) + "\n\n"
    return text


def anthropic(model):
    message = {"id": "msg_1", "type": "message", "role": "assistant", "model": model,
               "content": [], "stop_reason": None, "stop_sequence": None,
               "usage": {"input_tokens": 12, "output_tokens": 1}}
    return sse([
        {"type": "message_start", "message": message},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 0,
         "delta": {"type": "text_delta", "text": "pong"}},
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": None},
         "usage": {"output_tokens": 3}},
        {"type": "message_stop"},
    ])


def anthropic_whole(model):
    return {"id": "msg_1", "type": "message", "role": "assistant", "model": model,
            "content": [{"type": "text", "text": "pong"}], "stop_reason": "end_turn",
            "stop_sequence": None, "usage": {"input_tokens": 12, "output_tokens": 3}}


def openai_responses(model):
    item = {"id": "item_1", "type": "message", "role": "assistant", "status": "completed",
            "content": [{"type": "output_text", "text": "pong", "annotations": []}]}
    usage = {"input_tokens": 12, "input_tokens_details": {"cached_tokens": 0},
             "output_tokens": 3, "output_tokens_details": {"reasoning_tokens": 0},
             "total_tokens": 15}
    base = {"id": "resp_1", "object": "response", "created_at": 1, "model": model, "output": []}
    return sse([
        {"type": "response.created", "sequence_number": 0,
         "response": dict(base, status="in_progress")},
        {"type": "response.output_item.added", "sequence_number": 1, "output_index": 0,
         "item": dict(item, status="in_progress", content=[])},
        {"type": "response.output_text.delta", "sequence_number": 2, "item_id": "item_1",
         "output_index": 0, "content_index": 0, "delta": "pong"},
        {"type": "response.output_item.done", "sequence_number": 3, "output_index": 0,
         "item": item},
        {"type": "response.completed", "sequence_number": 4,
         "response": dict(base, status="completed", output=[item], usage=usage)},
    ])


def openai_chat(model):
    def chunk(delta, finish=None, **more):
        return dict({"id": "chat_1", "object": "chat.completion.chunk", "created": 1, "model": model,
                     "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}, **more)
    usage = {"prompt_tokens": 12, "completion_tokens": 3, "total_tokens": 15}
    return sse([
        chunk({"role": "assistant", "content": ""}),
        chunk({"content": "pong"}),
        chunk({}, "stop", usage=usage),
    ], named=False) + "data: [DONE]\n\n"


def openai_chat_whole(model):
    return {"id": "chat_1", "object": "chat.completion", "created": 1, "model": model,
            "choices": [{"index": 0, "message": {"role": "assistant", "content": "pong"},
                         "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 12, "completion_tokens": 3, "total_tokens": 15}}


def gemini():
    content = {"role": "model", "parts": [{"text": "pong"}]}
    return {"candidates": [{"content": content, "finishReason": "STOP", "index": 0}],
            "usageMetadata": {"promptTokenCount": 12, "candidatesTokenCount": 3,
                              "totalTokenCount": 15},
            "modelVersion": "fake"}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def record(self, body):
        keys = {name: value for name, value in self.headers.items()
                if name.lower() in KEY_HEADERS}
        LOG.write(json.dumps({"method": self.command, "path": self.path,
                              "model": body.get("model"), "keys": keys}) + "\n")

    def answer(self, status, kind, text):
        data = text.encode()
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def do_HEAD(self):
        self.record({})
        self.answer(200, "text/plain", "")

    def do_GET(self):
        self.record({})
        self.answer(200, "application/json", json.dumps({"data": [], "models": []}))

    def body(self):
        if self.headers.get("transfer-encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("content-length", 0)))
        whole = b""
        while size := int(self.rfile.readline().strip() or b"0", 16):
            whole += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return whole

    def do_POST(self):
        try:
            request = json.loads(self.body())
        except ValueError:
            request = {}
        self.record(request)
        path = self.path.split("?")[0]
        model = request.get("model", "unknown")
        if path.endswith("/messages") and request.get("stream"):
            self.answer(200, "text/event-stream", anthropic(model))
        elif path.endswith("/messages"):
            self.answer(200, "application/json", json.dumps(anthropic_whole(model)))
        elif path.endswith("/count_tokens"):
            self.answer(200, "application/json", '{"input_tokens": 12}')
        elif path.endswith("/chat/completions") and request.get("stream"):
            self.answer(200, "text/event-stream", openai_chat(model))
        elif path.endswith("/chat/completions"):
            self.answer(200, "application/json", json.dumps(openai_chat_whole(model)))
        elif path.endswith("/responses"):
            self.answer(200, "text/event-stream", openai_responses(model))
        elif path.endswith(":streamGenerateContent"):
            self.answer(200, "text/event-stream", sse([gemini()], named=False))
        elif path.endswith(":generateContent"):
            self.answer(200, "application/json", json.dumps(gemini()))
        elif path.endswith(":countTokens"):
            self.answer(200, "application/json", '{"totalTokens": 12}')
        else:
            self.answer(404, "application/json", '{"error":{"message":"no such path"}}')


http.server.ThreadingHTTPServer.daemon_threads = True
SERVER = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(SERVER.server_address[1], flush=True)
SERVER.serve_forever()
