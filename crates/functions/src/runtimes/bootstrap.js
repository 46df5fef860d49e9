// Runs a Node function for Frontgate: loads the handler, then answers one framed event after another on a socket.
//
// The frames are described in PROTOCOL.md beside this file. Standard library alone. Between two events the process
// blocks in a plain read: that is the cheapest way to wait, freezes timers as AWS's freezing does, and leaves the event
// loop without a handle of ours, so that "the loop is empty" means what it means to the function.
'use strict';

const fs = require('fs');
const path = require('path');
const util = require('util');

const SOCKET = 3;
const [INVOKE, BECOME, BESIDE] = [1, 2, 3];
const [READY, INIT_ERROR, RESPONSE, ERROR, BAD_EVENT, LAST_ERROR] = [1, 2, 3, 4, 5, 6];
const [STREAM_BEGUN, CHUNK, STREAM_ENDED] = [7, 8, 9];
const LARGEST_CHUNK = 262144;
const LARGEST_RESPONSE = 6291556;
// length, kind, deadline in ms (8), request id (36), lengths of: function ARN (2), trace id (2), client context (4)
const HEADER = 57;
const REPLY = 41;

const env = process.env;

// Waits to be told which function this is. Its code has appeared by then where there was none.
function become() {
  let frame = Buffer.alloc(65536);
  let have = 0;
  for (let need = 5; have < need;) {
    const count = fs.readSync(SOCKET, frame, have, frame.length - have, null);
    if (count === 0) process.reallyExit(0);
    have += count;
    if (have >= 4) need = 4 + frame.readUInt32LE(0);
    if (need > frame.length) frame = Buffer.concat([frame, Buffer.alloc(need)]);
  }
  if (frame[4] !== BECOME) process.reallyExit(70);
  Object.assign(env, JSON.parse(frame.utf8Slice(5, have)));
  // The folder of the same name that was here before is below it.
  process.chdir(env.LAMBDA_TASK_ROOT);
}

// What the variables tell that is the same for all events.
let functionName;
let functionVersion;
let memoryLimitInMB;
let logGroupName;
let logStreamName;

let input = Buffer.allocUnsafeSlow(65536);
let output = Buffer.allocUnsafeSlow(65536);
let requestId;        // of the event at hand, for log lines
let current = null;   // the event at hand: { id, settled, waiting }

// ------------------------------------------------------------------------------------------------ the socket

const pause = new Int32Array(new SharedArrayBuffer(4));

function writeAll(descriptor, buffer, length) {
  for (let at = 0; at < length;) {
    try {
      at += fs.writeSync(descriptor, buffer, at, length - at);
    } catch (error) {
      if (error.code !== 'EAGAIN') throw error;
      Atomics.wait(pause, 0, 0, 1);
    }
  }
}

function readFrame() {
  let have = 0;
  let need = 4;
  while (have < need) {
    let count;
    try {
      count = fs.readSync(SOCKET, input, have, input.length - have, null);
    } catch (error) {
      if (error.code !== 'EAGAIN') throw error;
      Atomics.wait(pause, 0, 0, 1);
      continue;
    }
    if (count === 0) process.reallyExit(0);
    have += count;
    need = makeRoom(have);
  }
  received = have;
  return need;
}

// As many bytes as the last read has found: the first event may come with what tells that extensions are there.
let received = 0;

// How long a frame is of which the beginning has been read.
function makeRoom(have) {
  if (have < 4) return 4;
  const need = 4 + input.readUInt32LE(0);
  if (need > input.length) {
    const larger = Buffer.allocUnsafeSlow(need);
    input.copy(larger, 0, 0, have);
    input = larger;
  }
  return need;
}

// Extensions share the process: between two events they must be able to go on, so that nothing may block.
let beside = false;

function readFrameBeside(have, done) {
  const need = makeRoom(have);
  if (have >= need) {
    done(need);
    return;
  }
  fs.read(SOCKET, input, have, input.length - have, null, (error, count) => {
    if (error) {
      if (error.code !== 'EAGAIN') throw error;
      setTimeout(readFrameBeside, 1, have, done);
      return;
    }
    if (count === 0) process.reallyExit(0);
    readFrameBeside(have + count, done);
  });
}

function send(kind, id, text) {
  const head = id === undefined ? 5 : REPLY;
  if (head + text.length * 3 > output.length) output = Buffer.allocUnsafeSlow(head + Buffer.byteLength(text));
  let size = text.length === 0 ? 0 : output.utf8Write(text, head);
  if (size > LARGEST_RESPONSE) {
    kind = ERROR;
    size = output.utf8Write(JSON.stringify({
      errorMessage: `Response payload size exceeded maximum allowed payload size (${LARGEST_RESPONSE} bytes).`,
      errorType: 'Function.ResponseSizeTooLarge',
    }), head);
  }
  output.writeUInt32LE(head - 4 + size, 0);
  output[4] = kind;
  if (id !== undefined) output.latin1Write(id, 5);
  writeAll(SOCKET, output, head + size);
  if (output.length > 1 << 20) output = Buffer.allocUnsafeSlow(65536);
}

// ------------------------------------------------------------------------------------------------ errors

class RuntimeError extends Error {
  constructor(type, message) {
    super(message);
    this.name = type;
  }
}

function isError(value) {
  return util.types.isNativeError(value)
    || (value && value.name !== undefined && value.message !== undefined && value.stack !== undefined);
}

function describe(error) {
  try {
    if (!isError(error)) return { errorType: typeof error, errorMessage: String(error), trace: [] };
    return { errorType: error.name, errorMessage: error.message, trace: String(error.stack).split('\n') };
  } catch {
    return {
      errorType: 'handled',
      errorMessage: 'callback called with Error argument, but there was a problem while retrieving one or more of its message, name, and stack',
      trace: [],
    };
  }
}

function logError(label, error, described) {
  if (jsonLog) {
    const { trace, ...rest } = described;
    writeJson('ERROR', [{ ...rest, stackTrace: trace }]);
    return;
  }
  let text;
  try {
    text = JSON.stringify({ ...described, stack: described.trace, trace: undefined });
  } catch {
    text = String(described.errorMessage);
  }
  writeLine('ERROR', `${label} \t${text}`);
}

// ------------------------------------------------------------------------------------------------ logging

// Of a log in JSON only what has at least the configured level is kept.
let jsonLog = false;
const LEVELS = ['TRACE', 'DEBUG', 'INFO', 'WARN', 'ERROR', 'FATAL'];
let leastLevel;

function writeLine(level, message) {
  print(`${new Date().toISOString()}\t${requestId}\t${level}\t${message}`.replace(/\n/g, '\r') + '\n');
}

function asObject(error) {
  return { errorType: error.name, errorMessage: error.message, stackTrace: String(error.stack).split('\n') };
}

function writeJson(level, values) {
  if (LEVELS.indexOf(level) < leastLevel) return;
  const line = { timestamp: new Date().toISOString(), level, requestId };
  let text;
  if (values.length === 1) {
    line.message = values[0];
    try {
      text = JSON.stringify(line, (key, value) => (util.types.isNativeError(value) ? asObject(value) : value));
    } catch {
      // What refers to itself has no JSON.
      line.message = util.format(values[0]);
    }
  } else {
    line.message = util.format(...values);
    const error = values.find((value) => util.types.isNativeError(value));
    if (error) Object.assign(line, asObject(error));
  }
  print((text === undefined ? JSON.stringify(line) : text) + '\n');
}

function print(line) {
  const bytes = Buffer.from(line);
  try {
    writeAll(1, bytes, bytes.length);
  } catch {
    // The function has closed its output; nowhere is left to tell it.
  }
}

function knowFunction() {
  functionName = env.AWS_LAMBDA_FUNCTION_NAME;
  functionVersion = env.AWS_LAMBDA_FUNCTION_VERSION;
  memoryLimitInMB = env.AWS_LAMBDA_FUNCTION_MEMORY_SIZE;
  logGroupName = env.AWS_LAMBDA_LOG_GROUP_NAME;
  logStreamName = env.AWS_LAMBDA_LOG_STREAM_NAME;
  jsonLog = env.AWS_LAMBDA_LOG_FORMAT === 'JSON';
  leastLevel = LEVELS.indexOf(env.AWS_LAMBDA_LOG_LEVEL);
  for (const [name, level] of [['log', 'INFO'], ['debug', 'DEBUG'], ['info', 'INFO'], ['warn', 'WARN'], ['error', 'ERROR']]) {
    console[name] = jsonLog
      ? (...values) => writeJson(level, values)
      : (...values) => writeLine(level, util.format(...values));
  }
}
console.trace = (...values) => {
  const here = new Error(util.format(...values));
  here.name = 'Trace';
  Error.captureStackTrace(here, console.trace);
  if (jsonLog) writeJson('TRACE', [here.stack]);
  else writeLine('TRACE', here.stack);
};

// ------------------------------------------------------------------------------------------------ one event

function settle(event, kind, value) {
  if (event.settled) return;
  event.settled = true;
  let text;
  if (kind === RESPONSE) {
    try {
      text = JSON.stringify(value === undefined ? null : value);
      // What JSON leaves out as a whole (a function, a symbol) is nothing, as AWS has it.
      if (text === undefined) text = 'null';
    } catch (error) {
      kind = ERROR;
      value = new RuntimeError('Runtime.MarshalError', `Unable to stringify response body: ${error.message}`);
    }
  }
  if (kind === ERROR) {
    const described = describe(value);
    logError('Invoke Error', value, described);
    text = JSON.stringify(described);
  }
  current = null;
  send(kind, event.id, text);
  // One turn of the event loop between two events lets what the function left behind go on.
  setImmediate(next);
}

function finish(event, context, kind, value) {
  if (event.settled || event.waiting) return;
  if (context.callbackWaitsForEmptyEventLoop) {
    event.waiting = [kind, value];
  } else {
    settle(event, kind, value);
  }
}

// ------------------------------------------------------------------------------------------------ streams

// What marks a handler as one that streams; the name is AWS's, so that libraries which look for it find it.
const STREAMING = Symbol.for('aws.lambda.runtime.handler.streaming');
const HIGH_WATER_MARK = Symbol.for('aws.lambda.runtime.handler.streaming.highWaterMark');

function beginStream(event) {
  if (event.begun) return Buffer.alloc(0);
  event.begun = true;
  send(STREAM_BEGUN, event.id, event.contentType);
  const before = [];
  const hook = event.stream._onBeforeFirstWrite;
  if (typeof hook === 'function') hook((data) => before.push(Buffer.from(data)));
  return Buffer.concat(before);
}

// Writes on a thread of Node's pool: a reader who is slow holds up the stream, but not the function's other work.
function writeChunks(event, data, done) {
  if (data.length === 0) {
    done();
    return;
  }
  const part = data.subarray(0, LARGEST_CHUNK);
  const frame = Buffer.allocUnsafe(REPLY + part.length);
  frame.writeUInt32LE(REPLY - 4 + part.length, 0);
  frame[4] = CHUNK;
  frame.latin1Write(event.id, 5);
  part.copy(frame, REPLY);
  event.writing = true;
  const finished = (error) => {
    event.writing = false;
    if (event.failure !== undefined) endStream(event, event.failure.error);
    else if (error) done(error);
    else writeChunks(event, data.subarray(part.length), done);
  };
  const write = (at) => fs.write(SOCKET, frame, at, frame.length - at, null, (error, count) => {
    if (error && error.code === 'EAGAIN') setTimeout(write, 1, at);
    else if (error) finished(error);
    else if (at + count < frame.length) write(at + count);
    else finished();
  });
  write(0);
}

function makeStream(event) {
  const { Writable } = require('stream');
  const stream = new Writable({
    highWaterMark: handler[HIGH_WATER_MARK] || 65536,
    write(chunk, encoding, done) {
      if (event.settled) {
        done(new Error('The invocation of this stream has ended.'));
        return;
      }
      const before = beginStream(event);
      writeChunks(event, before.length === 0 ? chunk : Buffer.concat([before, chunk]), done);
    },
    final(done) {
      if (event.settled) done();
      else writeChunks(event, beginStream(event), done);
    },
  });
  stream.setContentType = (type) => {
    if (!event.begun) event.contentType = String(type);
  };
  stream.setIsBase64Encoded = () => {};
  stream.on('error', (error) => endStream(event, error));
  stream.on('finish', () => {
    event.finished = true;
    if (event.returned) endStream(event);
  });
  event.stream = stream;
  event.contentType = '';
  return stream;
}

function endStream(event, error) {
  if (event.settled) return;
  if (event.writing) {
    // In the middle of a frame; what is on its way goes first.
    if (error !== undefined) event.failure = { error };
    return;
  }
  event.settled = true;
  let text = '';
  if (error !== undefined) {
    const described = describe(error);
    logError('Invoke Error', error, described);
    text = JSON.stringify(described);
  }
  current = null;
  send(event.begun ? STREAM_ENDED : ERROR, event.id, text);
  setImmediate(next);
}

function runStream(event, data, context) {
  const result = handler(data, makeStream(event), context);
  if (result === null || result === undefined || typeof result.then !== 'function') {
    throw new RuntimeError('InvalidStreamingOperation', 'Streaming does not support non-async handlers.');
  }
  result.then(
    () => {
      // A stream that the handler has left open ends when nothing is left that could write to it.
      event.returned = true;
      if (event.finished) endStream(event);
    },
    (error) => endStream(event, error),
  );
}

globalThis.awslambda = {
  streamifyResponse(streaming, options) {
    streaming[STREAMING] = 'response';
    if (options && options.highWaterMark > 0) streaming[HIGH_WATER_MARK] = Number(options.highWaterMark);
    return streaming;
  },
  HttpResponseStream: class HttpResponseStream {
    static from(stream, metadata) {
      stream.setContentType('application/vnd.awslambda.http-integration-response');
      const text = JSON.stringify(metadata);
      stream._onBeforeFirstWrite = (write) => {
        write(text);
        write(new Uint8Array(8));
      };
      return stream;
    }
  },
};

function makeContext(event, deadline, invokedFunctionArn, clientContext) {
  const context = {
    callbackWaitsForEmptyEventLoop: true,
    functionVersion,
    functionName,
    memoryLimitInMB,
    logGroupName,
    logStreamName,
    clientContext,
    identity: undefined,
    invokedFunctionArn,
    awsRequestId: event.id,
    getRemainingTimeInMillis: () => Math.max(deadline - Date.now(), 0),
    succeed: (value) => finish(event, context, RESPONSE, value),
    fail: (error) => finish(event, context, ERROR, error),
    done: (error, value) => (error === undefined || error === null
      ? finish(event, context, RESPONSE, value)
      : finish(event, context, ERROR, error)),
  };
  return context;
}

// The C library keeps every text that a variable ever had, so the one that changes with each event is kept beside the
// process's own. Whoever copies `process.env`, as those do who start processes, finds both.
const TRACE = '_X_AMZN_TRACE_ID';
let trace;

const envWithTrace = new Proxy(env, {
  get: (own, name) => (name === TRACE ? trace : own[name]),
  has: (own, name) => (name === TRACE ? trace !== undefined : name in own),
  set: (own, name, value) => {
    if (name === TRACE) trace = `${value}`;
    else own[name] = value;
    return true;
  },
  deleteProperty: (own, name) => {
    if (name === TRACE) trace = undefined;
    else delete own[name];
    return true;
  },
  ownKeys: (own) => (trace === undefined ? Reflect.ownKeys(own) : [...Reflect.ownKeys(own), TRACE]),
  getOwnPropertyDescriptor: (own, name) => {
    if (name !== TRACE) return Reflect.getOwnPropertyDescriptor(own, name);
    return trace === undefined ? undefined : { value: trace, writable: true, enumerable: true, configurable: true };
  },
});
process.env = envWithTrace;

// Where the function has put something else in place of `process.env`.
function setTrace(variables) {
  if (trace === undefined) delete variables[TRACE];
  else variables[TRACE] = trace;
}

let handler;

function next() {
  if (current !== null) return;
  if (beside) {
    readFrameBeside(0, begin);
    return;
  }
  const length = readFrame();
  if (input[4] === BESIDE) {
    beside = true;
    input.copyWithin(0, length, received);
    readFrameBeside(received - length, begin);
    return;
  }
  begin(length);
}

function begin(length) {
  if (input[4] !== INVOKE) process.reallyExit(70);
  const deadline = input.readUInt32LE(5) + input.readUInt32LE(9) * 4294967296;
  const id = input.latin1Slice(13, 49);
  const arnAt = HEADER;
  const traceAt = arnAt + input.readUInt16LE(49);
  const contextAt = traceAt + input.readUInt16LE(51);
  const eventAt = contextAt + input.readUInt32LE(53);
  const event = { id, settled: false, waiting: null };
  current = event;
  requestId = id;
  trace = traceAt === contextAt ? undefined : input.latin1Slice(traceAt, contextAt);
  if (process.env !== envWithTrace) setTrace(process.env);
  let data;
  try {
    data = JSON.parse(decode(eventAt, length));
  } catch {
    current = null;
    send(BAD_EVENT, id, '');
    setImmediate(next);
    return;
  }
  let context;
  try {
    const clientContext = contextAt === eventAt ? undefined : JSON.parse(decode(contextAt, eventAt));
    context = makeContext(event, deadline, input.utf8Slice(arnAt, traceAt), clientContext);
    if (input.length > 1 << 20) input = Buffer.allocUnsafeSlow(65536);
    if (handler[STREAMING] !== undefined) {
      runStream(event, data, context);
      return;
    }
    const callback = (error, value) => context.done(error, value);
    const result = handler(data, context, callback);
    if (result !== null && result !== undefined && typeof result.then === 'function') {
      result.then((value) => settle(event, RESPONSE, value), (error) => settle(event, ERROR, error));
    }
  } catch (error) {
    if (event.stream !== undefined) endStream(event, error);
    else settle(event, ERROR, error);
  }
}

const strict = new util.TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function decode(from, to) {
  const text = input.utf8Slice(from, to);
  // The quick decoder writes U+FFFD for what is not UTF-8; only then is it worth asking whether it was in the text.
  return text.includes('\ufffd') ? strict.decode(input.subarray(from, to)) : text;
}

// ------------------------------------------------------------------------------------------------ the function

function exists(file) {
  try {
    return fs.statSync(file).isFile();
  } catch {
    return false;
  }
}

function isModule(file) {
  if (file.endsWith('.mjs')) return true;
  if (file.endsWith('.cjs')) return false;
  for (let folder = path.dirname(file); ; folder = path.dirname(folder)) {
    const manifest = path.join(folder, 'package.json');
    if (exists(manifest)) {
      try {
        return JSON.parse(fs.readFileSync(manifest, 'utf8')).type === 'module';
      } catch {
        return false;
      }
    }
    if (folder === path.dirname(folder) || folder === env.LAMBDA_TASK_ROOT) return false;
  }
}

async function loadModule(root, name) {
  const base = path.resolve(root, name);
  const file = [base, `${base}.js`, `${base}.mjs`, `${base}.cjs`].find(exists);
  if (file !== undefined && isModule(file)) return import(require('url').pathToFileURL(file).href);
  if (file !== undefined) return require(file);
  // A folder with an index, or a package of node_modules.
  const found = require.resolve(name, { paths: [root, path.dirname(base)] });
  return isModule(found) ? import(require('url').pathToFileURL(found).href) : require(found);
}

async function load(text) {
  if (text.includes('..')) {
    const reason = 'is not a valid handler name. Use absolute paths when specifying root directories in handler names.';
    throw new RuntimeError('Runtime.MalformedHandlerName', `'${text}' ${reason}`);
  }
  const folder = text.slice(0, text.length - path.basename(text).length);
  const parts = /^([^.]*)\.(.*)$/.exec(path.basename(text));
  if (parts === null) throw new RuntimeError('Runtime.MalformedHandlerName', 'Bad handler');
  const [, file, names] = parts;
  const root = path.resolve(env.LAMBDA_TASK_ROOT, folder);
  let loaded;
  try {
    loaded = await loadModule(root, file);
  } catch (error) {
    if (error instanceof SyntaxError) throw renamed(error, 'Runtime.UserCodeSyntaxError');
    if (error !== null && error !== undefined && (error.code === 'MODULE_NOT_FOUND' || error.code === 'ERR_MODULE_NOT_FOUND')) {
      if (error.code === 'MODULE_NOT_FOUND' && error.requireStack !== undefined && error.requireStack[0] === __filename) {
        error.message = `Cannot find module '${file}'\nRequire stack:\n- ${__filename}`;
      }
      throw renamed(error, 'Runtime.ImportModuleError');
    }
    throw error;
  }
  let found = loaded;
  for (const name of names.split('.')) found = found === null || found === undefined ? undefined : found[name];
  if (found === undefined && loaded !== null && loaded !== undefined && loaded.default) {
    found = loaded.default;
    for (const name of names.split('.')) found = found === null || found === undefined ? undefined : found[name];
  }
  if (found === undefined || found === null) {
    throw new RuntimeError('Runtime.HandlerNotFound', `${text} is undefined or not exported`);
  }
  if (typeof found !== 'function') throw new RuntimeError('Runtime.HandlerNotFound', `${text} is not a function`);
  return found;
}

function renamed(error, type) {
  const wrapped = new RuntimeError(type, `${error.name}: ${error.message}`);
  const stack = String(error.stack);
  const at = stack.indexOf('\n    at ');
  wrapped.stack = `${type}: ${error.name}: ${error.message}${at < 0 ? '' : stack.slice(at)}`;
  return wrapped;
}

// ------------------------------------------------------------------------------------------------ the process

function last(label, error, described, status) {
  logError(label, error, described);
  const text = JSON.stringify(described);
  if (handler === undefined) send(INIT_ERROR, undefined, text);
  // In the middle of a frame nothing else can be said.
  else if (current !== null && !current.writing) send(LAST_ERROR, current.id, text);
  process.reallyExit(status);
}

process.on('uncaughtException', (error) => last('Uncaught Exception', error, describe(error), 129));
process.on('unhandledRejection', (reason, promise) => {
  const error = new RuntimeError('Runtime.UnhandledPromiseRejection', String(reason));
  const described = { ...describe(error), reason: describe(reason), promise };
  let safe = described;
  try {
    JSON.stringify(described);
  } catch {
    safe = describe(error);
  }
  last('Unhandled Promise Rejection', error, safe, 128);
});
// Nothing is left that could wake the function: what it has told a callback is its answer, and else it has none.
process.on('beforeExit', () => {
  if (current === null) return;
  if (current.stream !== undefined) {
    current.returned = true;
    if (current.finished) endStream(current);
    else current.stream.end();
    return;
  }
  const [kind, value] = current.waiting === null ? [RESPONSE, null] : current.waiting;
  settle(current, kind, value);
});

async function start() {
  if (env._HANDLER === undefined) {
    // Takes longer than to load a small handler, and there is time now.
    await import('./frontgate_waiting.mjs');
    become();
  }
  knowFunction();
  return load(env._HANDLER);
}

start().then(
  (found) => {
    handler = found;
    send(READY, undefined, '');
    setImmediate(next);
  },
  (error) => {
    const described = describe(error);
    logError('Uncaught Exception', error, described);
    send(INIT_ERROR, undefined, JSON.stringify(described));
    process.reallyExit(1);
  },
);
