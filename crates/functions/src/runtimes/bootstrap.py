"""Runs a Python function for Frontgate: imports the handler, then answers one framed event after another on a socket.

The frames are described in PROTOCOL.md beside this file. Standard library alone; whatever is not needed for every
call is imported where it is used, because every import here is paid for by each cold start.
"""

import importlib
import json
import os
import sys
import time

SOCKET = 3
INVOKE, BECOME, BESIDE = 1, 2, 3
READY, INIT_ERROR, RESPONSE, ERROR, BAD_EVENT = 1, 2, 3, 4, 5
LARGEST_RESPONSE = 6291556
# length, kind, deadline in ms, request id, lengths of: function ARN, trace id, client context
HEADER = "<IBQ36sHHI"
REPLY = "<IB36s"

from _struct import Struct  # the C half of `struct`, which is loaded anyway

HEADER = Struct(HEADER)
REPLY = Struct(REPLY)


class Fault(Exception):
    """An error of the runtime rather than of the function's own code."""

    def __init__(self, kind, message, trace=()):
        super().__init__(message)
        self.kind = kind
        self.trace = list(trace)


class Client:
    """Who called, as a mobile SDK describes it."""

    __slots__ = ("installation_id", "app_title", "app_version_name", "app_version_code", "app_package_name")

    def __init__(self, fields):
        for name in self.__slots__:
            setattr(self, name, fields.get(name))


class ClientContext:
    """What the caller sent as X-Amz-Client-Context."""

    __slots__ = ("custom", "env", "client")

    def __init__(self, text):
        fields = json.loads(text)
        self.custom = fields.get("custom")
        self.env = fields.get("env")
        client = fields.get("client")
        self.client = Client(client) if isinstance(client, dict) else None


class CognitoIdentity:
    """The Cognito identity of the caller; never known here."""

    __slots__ = ("cognito_identity_id", "cognito_identity_pool_id")

    def __init__(self):
        self.cognito_identity_id = None
        self.cognito_identity_pool_id = None


class LambdaContext:
    """The second argument of a handler."""

    log_group_name = log_stream_name = function_name = function_version = memory_limit_in_mb = None

    def __init__(self, request_id, deadline, function_arn, client_context):
        self.aws_request_id = request_id
        self.log_group_name = LambdaContext.log_group_name
        self.log_stream_name = LambdaContext.log_stream_name
        self.function_name = LambdaContext.function_name
        self.function_version = LambdaContext.function_version
        self.memory_limit_in_mb = LambdaContext.memory_limit_in_mb
        self.invoked_function_arn = function_arn
        self.client_context = client_context
        self.identity = CognitoIdentity()
        self.tenant_id = None
        self._epoch_deadline_time_in_ms = deadline

    def get_remaining_time_in_millis(self):
        return max(self._epoch_deadline_time_in_ms - int(time.time() * 1000), 0)

    def log(self, message):
        sys.stdout.write(str(message))

    def __repr__(self):
        fields = ",".join(f"{name}={value}" for name, value in vars(self).items() if not name.startswith("_"))
        return f"LambdaContext([{fields}])"


# ------------------------------------------------------------------------------------------------ JSON


def reject_constant(name):
    raise ValueError(f"{name} is not JSON")


scan = json.JSONDecoder(parse_constant=reject_constant).scan_once


def parse(text):
    """As json.loads, without its regular expressions where the text starts with its value."""
    start = 0
    if text[:1] in " \t\r\n":
        start = len(text) - len(text.lstrip(" \t\r\n"))
    try:
        value, end = scan(text, start)
    except StopIteration as error:
        raise ValueError("no value") from error
    if end != len(text) and text[end:].strip(" \t\r\n"):
        raise ValueError("extra data")
    return value


def not_json(value):
    # `decimal` is only in memory if somebody uses it.
    decimal = sys.modules.get("decimal")
    if decimal is not None and isinstance(value, decimal.Decimal):
        return float(value)
    raise TypeError(f"Object of type {type(value).__name__} is not JSON serializable")


def keeps_unicode():
    """Since Python 3.12 AWS's runtime writes characters beyond ASCII as they are."""
    runtime = os.environ.get("AWS_EXECUTION_ENV", "")
    minor = runtime.rpartition("python3.")[2]
    return minor.isdigit() and int(minor) >= 12


def make_encoder():
    encoder = json.encoder
    ascii_only = not keeps_unicode()
    if encoder.c_make_encoder is None:
        return json.JSONEncoder(ensure_ascii=ascii_only, default=not_json).encode
    text = encoder.encode_basestring_ascii if ascii_only else encoder.encode_basestring
    encode = encoder.c_make_encoder(None, not_json, text, None, ": ", ", ", False, False, True)
    return lambda value: "".join(encode(value, 0))


encode = None  # made when it is known which function this is


# ------------------------------------------------------------------------------------------------ the socket


def read_frame(begun=b""):
    """One frame as bytes, its length included. Ends the process when the other side is gone."""
    data = begun or os.read(SOCKET, 65536)
    if len(data) >= 4 and len(data) == 4 + int.from_bytes(data[:4], "little"):
        return data
    parts = bytearray(data)
    while len(parts) < 4 or len(parts) < 4 + int.from_bytes(parts[:4], "little"):
        data = os.read(SOCKET, 1048576)
        if not data:
            os._exit(0)
        parts += data
    return bytes(parts)


def write_all(data):
    written = os.write(SOCKET, data)
    while written < len(data):
        written += os.write(SOCKET, memoryview(data)[written:])


def reply(kind, request_id, text):
    body = text.encode("utf-8", "surrogatepass" if kind == ERROR else "strict")
    if len(body) > LARGEST_RESPONSE:
        kind = ERROR
        body = json.dumps({
            "errorMessage": f"Response payload size exceeded maximum allowed payload size ({LARGEST_RESPONSE} bytes).",
            "errorType": "Function.ResponseSizeTooLarge",
        }).encode()
    write_all(REPLY.pack(37 + len(body), kind, request_id) + body)


# ------------------------------------------------------------------------------------------------ errors


def describe(error, request_id):
    """The error payload of AWS's Python runtime, and the lines for the log."""
    if isinstance(error, Fault):
        kind, trace = error.kind, error.trace
    else:
        import traceback

        kind = type(error).__name__
        frames = traceback.extract_tb(error.__traceback__)
        own = 0
        while own < len(frames) and frames[own].filename == __file__:
            own += 1
        trace = traceback.format_list(frames[own:])
    try:
        message = str(error)
    except Exception:
        message = ""
    payload = {"errorMessage": message, "errorType": kind, "requestId": request_id, "stackTrace": trace}
    if os.environ.get("AWS_EXECUTION_ENV") == "AWS_Lambda_python3.8":
        # The last of AWS's runtimes that does not tell it.
        del payload["requestId"]
    if JSON_LOG:
        stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        print(json.dumps({"timestamp": stamp, "log_level": "ERROR", **payload}))
        return json.dumps(payload)
    lines = [f"[ERROR] {kind}: {message}"]
    if trace:
        lines += ["Traceback (most recent call last):", *[line.rstrip("\n") for line in trace]]
    print("\n".join(lines))
    return json.dumps(payload)


# ------------------------------------------------------------------------------------------------ logging


class Current:
    """The request id that log lines bear."""

    request_id = ""


JSON_LOG = False  # known when it is known which function this is


def json_formatter(logging):
    """Writes a record as one line of JSON, with what the program has added to it."""
    own = set(vars(logging.makeLogRecord({}))) | {"message", "asctime", "aws_request_id", "taskName"}

    def format_record(record):
        line = {
            "timestamp": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(record.created)),
            "level": record.levelname,
            "message": record.getMessage(),
            "logger": record.name,
        }
        if record.exc_info and record.exc_info[0] is not None:
            import traceback

            kind, error, trace = record.exc_info
            line["stackTrace"] = [text.rstrip("\n") for text in traceback.format_tb(trace)]
            line["errorType"] = kind.__name__
            line["errorMessage"] = str(error)
            line["location"] = f"{record.pathname}:{record.funcName}:{record.lineno}"
        line["requestId"] = record.aws_request_id or None
        line.update((name, value) for name, value in vars(record).items() if name not in own and name[:1] != "_")
        return json.dumps({name: value for name, value in line.items() if value is not None}, default=str) + "\n"

    formatter = logging.Formatter()
    formatter.format = format_record
    return formatter


def configure_json_logging(logging):
    """The level of the log's configuration, and a name for the one that Python has none for."""
    logging.addLevelName(5, "TRACE")
    level = os.environ.get("AWS_LAMBDA_LOG_LEVEL")
    if level in ("TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"):
        logging.getLogger().setLevel(level)


def configure_logging(logging):
    """Gives the root logger AWS's text format, or that of a log in JSON."""

    class Handler(logging.Handler):
        def emit(self, record):
            sys.stdout.write(self.format(record))

    def add_request_id(record):
        record.aws_request_id = Current.request_id
        return True

    handler = Handler()
    formatter = logging.Formatter(
        "[%(levelname)s]\t%(asctime)s.%(msecs)dZ\t%(aws_request_id)s\t%(message)s\n", "%Y-%m-%dT%H:%M:%S"
    )
    formatter.converter = time.gmtime
    handler.setFormatter(json_formatter(logging) if JSON_LOG else formatter)
    handler.addFilter(add_request_id)
    logging.getLogger().addHandler(handler)
    if JSON_LOG:
        configure_json_logging(logging)


class LoggingWatch:
    """Configures `logging` at the moment when it is first imported, so that functions without it need not pay for it."""

    @classmethod
    def find_spec(cls, name, path=None, target=None):
        if name != "logging":
            return None
        sys.meta_path.remove(cls)
        for finder in sys.meta_path:
            spec = finder.find_spec(name, path, target)
            if spec is not None:
                break
        else:
            return None
        run = spec.loader.exec_module

        def exec_module(module):
            run(module)
            configure_logging(module)

        spec.loader.exec_module = exec_module
        return spec


# ------------------------------------------------------------------------------------------------ the function


def load(handler):
    """Imports the handler's module and finds the function in it."""
    module_name, dot, function_name = handler.rpartition(".")
    if not dot:
        reason = "not enough values to unpack (expected 2, got 1)"
        raise Fault("Runtime.MalformedHandlerName", f"Bad handler '{handler}': {reason}")
    try:
        if module_name.split(".")[0] in sys.builtin_module_names:
            raise Fault("Runtime.BuiltInModuleConflict", f"Cannot use built-in module {handler} as a handler module")
        module = importlib.import_module(module_name.replace("/", "."))
    except ImportError as error:
        raise Fault("Runtime.ImportModuleError", f"Unable to import module '{module_name}': {error}") from error
    except SyntaxError as error:
        trace = [f'  File "{error.filename}" Line {error.lineno}\n    {error.text}']
        message = f"Syntax error in module '{module_name}': {error}"
        raise Fault("Runtime.UserCodeSyntaxError", message, trace) from error
    function = getattr(module, function_name, None)
    if function is None:
        raise Fault("Runtime.HandlerNotFound", f"Handler '{function_name}' missing on module '{module_name}'")
    return function


TRACE = b"_X_AMZN_TRACE_ID"

BIRTHS = {"subprocess.Popen", "os.system", "os.exec", "os.fork", "os.forkpty", "os.posix_spawn", "os.spawn"}


def pass_trace_on(event, _):
    """Gives the trace id to children. The C library keeps every text that a variable ever had, so that one which changes
    with each event is only told to it when somebody is about to inherit it."""
    if event in BIRTHS:
        trace = os.environ._data.get(TRACE)
        if trace is None:
            os.unsetenv(TRACE)
        else:
            os.putenv(TRACE, trace)


def serve(function):
    """Answers events until the socket closes."""
    environ = os.environ._data
    header_size = HEADER.size
    stdout, stderr = sys.stdout, sys.stderr
    while True:
        frame = read_frame()
        if frame[4] == BESIDE:
            # Nothing to do: other threads go on while this one waits. The first event may have come with it.
            frame = read_frame(frame[5:])
        _, kind, deadline, raw_id, arn_size, trace_size, context_size = HEADER.unpack_from(frame)
        if kind != INVOKE:
            os._exit(70)
        trace_at = header_size + arn_size
        context_at = trace_at + trace_size
        event_at = context_at + context_size
        request_id = str(raw_id, "ascii")
        Current.request_id = request_id
        if trace_size:
            environ[TRACE] = bytes(frame[trace_at:context_at])
        else:
            environ.pop(TRACE, None)
        try:
            event = parse(str(frame[event_at:], "utf-8"))
        except (ValueError, RecursionError):
            write_all(REPLY.pack(37, BAD_EVENT, raw_id))
            continue
        try:
            client_context = ClientContext(frame[context_at:event_at]) if context_size else None
            arn = str(frame[header_size:trace_at], "utf-8")
            result = function(event, LambdaContext(request_id, deadline, arn, client_context))
        except Exception as error:
            answer = (ERROR, raw_id, describe(error, request_id))
        else:
            try:
                answer = (RESPONSE, raw_id, encode(result))
                # A lone surrogate cannot be sent as UTF-8; tell it as what it is.
                if not answer[2].isascii():
                    answer[2].encode("utf-8")
            except Exception as error:
                fault = Fault("Runtime.MarshalError", f"Unable to marshal response: {error}")
                answer = (ERROR, raw_id, describe(fault, request_id))
        del event
        try:
            if sys.stdout is not None:
                sys.stdout.flush()
            if stdout is not sys.stdout:
                stdout.flush()
            stderr.flush()
        except (OSError, ValueError):
            pass  # The function has closed its output; that must not cost it the answer.
        reply(*answer)


def become():
    """Waits to be told which function this is. Its code has appeared by then where there was none."""
    frame = read_frame()
    if frame[4] != BECOME:
        os._exit(70)
    os.environ.update(parse(str(frame[5:], "utf-8")))
    # The folder of the same name that was here before is below it.
    os.chdir(os.environ["LAMBDA_TASK_ROOT"])
    sys.path_importer_cache.clear()


def know_function():
    """Reads from the variables what is the same for all events."""
    global encode, JSON_LOG
    names = {
        "log_group_name": "AWS_LAMBDA_LOG_GROUP_NAME",
        "log_stream_name": "AWS_LAMBDA_LOG_STREAM_NAME",
        "function_name": "AWS_LAMBDA_FUNCTION_NAME",
        "function_version": "AWS_LAMBDA_FUNCTION_VERSION",
        "memory_limit_in_mb": "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
    }
    for name, variable in names.items():
        setattr(LambdaContext, name, os.environ.get(variable))
    encode = make_encoder()
    JSON_LOG = os.environ.get("AWS_LAMBDA_LOG_FORMAT") == "JSON"


def find_packages():
    """What Python does when it starts, unless told not to (`-S`), but for the .pth files of this host: they may import
    whatever they like, which each start pays for, and AWS's runtimes have none."""
    import site

    site.addpackage = lambda *_: None
    site.main()


def main():
    os.set_inheritable(SOCKET, False)
    if sys.flags.no_site:
        find_packages()
    if "_HANDLER" not in os.environ:
        become()
    know_function()
    # Lines reach the log as they are printed, so that a crash does not swallow them.
    sys.stdout.reconfigure(line_buffering=True, errors="backslashreplace")
    task_root = os.environ["LAMBDA_TASK_ROOT"]
    runtime_directory = sys.path[0]
    sys.path[0] = task_root
    layers = os.environ.pop("FRONTGATE_LAYERS", None)
    if layers is not None:
        # After the function's own code and before all else.
        version = f"python{sys.version_info.major}.{sys.version_info.minor}"
        sys.path[1:1] = [f"{layers}/python/lib/{version}/site-packages", f"{layers}/python"]
    sys.path.append(runtime_directory)
    sys.argv = [""]
    if "logging" in sys.modules:
        configure_logging(sys.modules["logging"])
    else:
        sys.meta_path.insert(0, LoggingWatch)
    try:
        function = load(os.environ["_HANDLER"])
    except Exception as error:
        body = describe(error, "").encode("utf-8", "surrogatepass")
        sys.stdout.flush()
        write_all((1 + len(body)).to_bytes(4, "little") + bytes([INIT_ERROR]) + body)
        os._exit(1)
    write_all(b"\x01\x00\x00\x00" + bytes([READY]))
    sys.addaudithook(pass_trace_on)
    serve(function)


if __name__ == "__main__":
    main()
