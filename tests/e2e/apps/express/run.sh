#!/bin/sh
# What AWS Lambda Web Adapter starts in place of the runtime.
exec node server.mjs
