// Runs a circuit over gRPC from Java. The protos come from `quantcloud protos protos`.
// Arguments: the server as HOST:PORT. Environment: QUANTCLOUD_TOKEN.
import com.google.gson.Gson;
import com.thequantcloud.v1.CircuitServiceGrpc;
import com.thequantcloud.v1.Job;
import com.thequantcloud.v1.JobEvent;
import com.thequantcloud.v1.JobResult;
import com.thequantcloud.v1.JobServiceGrpc;
import com.thequantcloud.v1.RunCircuitRequest;
import com.thequantcloud.v1.WatchJobRequest;
import io.grpc.ClientInterceptor;
import io.grpc.ManagedChannel;
import io.grpc.ManagedChannelBuilder;
import io.grpc.Metadata;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.stub.MetadataUtils;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Iterator;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.TimeUnit;

public class Client {
  private final ManagedChannel channel;
  private final CircuitServiceGrpc.CircuitServiceBlockingStub circuits;
  private final JobServiceGrpc.JobServiceBlockingStub jobs;

  Client(String server) throws IOException {
    String retries = Files.readString(Path.of("protos/service_config.json"));
    channel = ManagedChannelBuilder.forTarget(server)
        .usePlaintext() // leave it out for TLS
        .defaultServiceConfig(new Gson().fromJson(retries, Map.class))
        .keepAliveTime(10, TimeUnit.SECONDS)
        .keepAliveTimeout(20, TimeUnit.SECONDS)
        .maxInboundMessageSize(Integer.MAX_VALUE)
        .build();
    ClientInterceptor credentials = header("authorization", "Bearer " + System.getenv("QUANTCLOUD_TOKEN"));
    circuits = CircuitServiceGrpc.newBlockingStub(channel).withInterceptors(credentials);
    jobs = JobServiceGrpc.newBlockingStub(channel).withInterceptors(credentials);
  }

  // Throws an error whose text names the field, the line and the column.
  String submit(String qasm, int shots) {
    // The key makes a retry safe: the server stores one job.
    return circuits.withInterceptors(header("idempotency-key", UUID.randomUUID().toString()))
        .runCircuit(RunCircuitRequest.newBuilder().setQasm(qasm).setShots(shots).build())
        .getJobId();
  }

  // Follows a job to its end. After a broken connection it resumes after the last event.
  JobResult result(String id) throws InterruptedException {
    int after = 0; // from the first event
    while (true) {
      try {
        Iterator<JobEvent> events = jobs.watchJob(
            WatchJobRequest.newBuilder().setId(id).setAfterSequence(after).setWithResult(true).build());
        while (events.hasNext()) {
          JobEvent event = events.next();
          after = event.getSequence();
          Job.Status status = event.getJob().getStatus();
          if (!event.getCheckpoint()) System.out.println(status);
          if (event.hasResult()) return event.getResult();
          if (status == Job.Status.failed || status == Job.Status.timeout || status == Job.Status.cancelled) {
            throw new IllegalStateException("the job ended as " + status + ": " + event.getJob().getErrorMessage());
          }
        }
      } catch (StatusRuntimeException error) {
        if (error.getStatus().getCode() != Status.Code.UNAVAILABLE) throw error;
        Thread.sleep(1000);
      }
    }
  }

  private static ClientInterceptor header(String name, String value) {
    Metadata metadata = new Metadata();
    metadata.put(Metadata.Key.of(name, Metadata.ASCII_STRING_MARSHALLER), value);
    return MetadataUtils.newAttachHeadersInterceptor(metadata);
  }

  public static void main(String[] arguments) throws Exception {
    Client client = new Client(arguments[0]);
    String id = client.submit("qreg q[1]; creg c[1]; x q[0]; measure q -> c;", 100);
    client.result(id).getCountsMap().forEach((outcome, count) -> System.out.println(outcome + ": " + count));
    try {
      client.submit("qreg q[1]", 1);
    } catch (StatusRuntimeException error) {
      System.out.println(error.getStatus().getDescription());
    }
    client.channel.shutdownNow();
  }
}
