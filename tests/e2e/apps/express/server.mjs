// The application as a server of its own, as AWS Lambda Web Adapter runs it.

import { app } from "./app.js";

app.listen(Number(process.env.PORT ?? 8080), "127.0.0.1");
