// Runs a circuit over gRPC from Node. The protos come from `quantcloud protos protos`.
// Arguments: the server as HOST:PORT. Environment: QUANTCLOUD_TOKEN.
const { randomUUID } = require("node:crypto");
const { readFileSync } = require("node:fs");
const grpc = require("@grpc/grpc-js");
const loader = require("@grpc/proto-loader");

const definition = loader.loadSync(
  ["account", "backend", "circuit", "job"].map((name) => `thequantcloud/v1/${name}.proto`),
  // Names and enum values as in the contract. Numbers of 64 bits are texts.
  { keepCase: true, enums: String, longs: String, defaults: true, oneofs: true, includeDirs: ["protos"] },
);
const { thequantcloud: { v1 } } = grpc.loadPackageDefinition(definition);

const options = {
  "grpc.service_config": readFileSync("protos/service_config.json", "utf8"),
  "grpc.keepalive_time_ms": 10_000,
  "grpc.keepalive_timeout_ms": 20_000,
  "grpc.max_receive_message_length": -1,
};
const credentials = grpc.credentials.createInsecure(); // createSsl() for TLS
const circuits = new v1.CircuitService(process.argv[2], credentials, options);
const jobs = new v1.JobService(process.argv[2], credentials, options);

function metadata(more = {}) {
  const made = new grpc.Metadata();
  made.set("authorization", `Bearer ${process.env.QUANTCLOUD_TOKEN}`);
  for (const [name, value] of Object.entries(more)) made.set(name, value);
  return made;
}

function submit(request) {
  return new Promise((resolve, reject) => {
    // The key makes a retry safe: the server stores one job.
    const key = metadata({ "idempotency-key": randomUUID() });
    circuits.RunCircuit(request, key, (error, answer) => (error ? reject(error) : resolve(answer)));
  });
}

// Follows a job to its end. After a broken connection it resumes after the last event.
async function result(id) {
  let after = 0;
  for (;;) {
    try {
      for await (const event of jobs.WatchJob({ id, after_sequence: after, with_result: true }, metadata())) {
        after = event.sequence;
        if (!event.checkpoint) console.log(event.job.status);
        if (event.result) return event.result;
        if (["failed", "timeout", "cancelled"].includes(event.job.status)) {
          throw new Error(`the job ended as ${event.job.status}: ${event.job.error_message}`);
        }
      }
    } catch (error) {
      if (error.code !== grpc.status.UNAVAILABLE) throw error;
      await new Promise((done) => setTimeout(done, 1000));
    }
  }
}

async function main() {
  const qasm = "OPENQASM 2.0; qreg q[1]; creg c[1]; x q[0]; measure q -> c;";
  const { job_id } = await submit({ qasm, shots: 100 });
  console.log((await result(job_id)).counts);
  try {
    await submit({ qasm: "qreg q[1]" });
  } catch (error) {
    // The text names the field, the line and the column. The details are a google.rpc.Status.
    console.log(error.code === grpc.status.INVALID_ARGUMENT, error.details);
  }
}

main().finally(() => [circuits, jobs].forEach((each) => each.close()));
