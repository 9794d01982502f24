// Runs a circuit over gRPC-Web, as a web page does. `gen/` comes from `buf generate` with the
// plugin protoc-gen-es, in the folder that `quantcloud protos` writes.
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { createGrpcWebTransport } from "@connectrpc/connect-web";
import { CircuitService } from "./gen/es/thequantcloud/v1/circuit_pb.js";
import { JobService, Job_Status } from "./gen/es/thequantcloud/v1/job_pb.js";

// `server` is the address of Envoy, such as https://quantum.example.org.
export async function run(server, token, qasm, changed) {
  const transport = createGrpcWebTransport({ baseUrl: server });
  const circuits = createClient(CircuitService, transport);
  const jobs = createClient(JobService, transport);
  const headers = { authorization: `Bearer ${token}` };
  const key = { ...headers, "idempotency-key": crypto.randomUUID() };
  const { jobId } = await circuits.runCircuit({ qasm, shots: 100 }, { headers: key });
  let afterSequence = 0;
  for (;;) {
    try {
      const watched = { id: jobId, afterSequence, withResult: true };
      for await (const event of jobs.watchJob(watched, { headers })) {
        afterSequence = event.sequence;
        if (!event.checkpoint) changed(Job_Status[event.job.status]);
        if (event.result) return event.result.counts;
        if (event.job.status > Job_Status.completed) throw new Error(event.job.errorMessage);
      }
    } catch (error) {
      if (ConnectError.from(error).code !== Code.Unavailable) throw error;
      await new Promise((done) => setTimeout(done, 1000));
    }
  }
}
