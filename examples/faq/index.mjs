// Answers the FAQ API with one question, chosen at random, and its answer. It is called through an AWS_PROXY integration.

const ENTRIES = [
  { question: "What is a REST API here?", answer: "Resources and methods, each with an integration, published by a deployment." },
  { question: "When does an edit go live?", answer: "With the next deployment; until then a stage serves the snapshot it points to." },
  { question: "What is a stage variable for?", answer: "It lets two stages of one API call two aliases of one function." },
  { question: "What does a mock integration need?", answer: "No backend: a request template that gives the status and a response template." },
  { question: "What does an alias point to?", answer: "One published, unchangeable version of a function, until it is moved." },
];

export const handler = async () => {
  const entry = ENTRIES[Math.floor(Math.random() * ENTRIES.length)];
  return { statusCode: 200, headers: { "Content-Type": "application/json" }, body: JSON.stringify(entry) };
};
