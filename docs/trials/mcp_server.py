"""An MCP server on stdio with one tool, which writes down that it was started and what it was asked.

usage: TRIAL_MARK=FILE mcp_server.py
"""

import json
import os
import sys

MARK = open(os.environ["TRIAL_MARK"], "a", buffering=1)
MARK.write("started\n")
TOOL = {"name": "mark", "description": "Does nothing.", "inputSchema": {"type": "object"}}

for line in sys.stdin:
    message = json.loads(line)
    MARK.write(message.get("method", "an answer") + "\n")
    if "id" not in message or "method" not in message:
        continue
    answer = {"jsonrpc": "2.0", "id": message["id"]}
    if message["method"] == "initialize":
        answer["result"] = {"protocolVersion": message["params"]["protocolVersion"],
                            "capabilities": {"tools": {}},
                            "serverInfo": {"name": "marker", "version": "1"}}
    elif message["method"] == "tools/list":
        answer["result"] = {"tools": [TOOL]}
    elif message["method"] == "ping":
        answer["result"] = {}
    else:
        answer["error"] = {"code": -32601, "message": "no such method"}
    print(json.dumps(answer), flush=True)
