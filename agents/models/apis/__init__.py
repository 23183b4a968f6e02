"""The APIs that models are asked over: chat completions, Anthropic's messages, OpenAI's responses.

Rule of this room: an API turns a request of moot's into the body of an HTTP request, and what comes back, whole or as events,
into a `Completion`. Nothing is sent here. A request is what `LM` builds: a chat completion's fields, and any field besides,
which goes out as it is.
"""
