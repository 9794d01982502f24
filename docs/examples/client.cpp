// Runs a circuit over gRPC from C++. The protos come from `quantcloud protos protos`.
// Arguments: the server as HOST:PORT. Environment: QUANTCLOUD_TOKEN.
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <iterator>
#include <memory>
#include <random>
#include <sstream>
#include <stdexcept>
#include <string>
#include <thread>

#include <grpcpp/grpcpp.h>

#include "thequantcloud/v1/circuit.grpc.pb.h"
#include "thequantcloud/v1/job.grpc.pb.h"

namespace v1 = thequantcloud::v1;

std::string read(const char* path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::string random_key() {
  std::random_device random;
  std::ostringstream key;
  for (int part = 0; part < 4; ++part) key << std::hex << random();
  return key.str();
}

class Client {
 public:
  explicit Client(const std::string& server) {
    grpc::ChannelArguments options;
    options.SetServiceConfigJSON(read("protos/service_config.json"));
    options.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, 10000);
    options.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 20000);
    options.SetMaxReceiveMessageSize(-1);
    auto credentials = grpc::InsecureChannelCredentials();  // SslCredentials({}) for TLS
    auto channel = grpc::CreateCustomChannel(server, credentials, options);
    circuits_ = v1::CircuitService::NewStub(channel);
    jobs_ = v1::JobService::NewStub(channel);
  }

  // Throws an error whose text names the field, the line and the column.
  std::string submit(const std::string& qasm, int shots) {
    v1::RunCircuitRequest request;
    request.set_qasm(qasm);
    request.set_shots(shots);
    auto call = authorized();
    // The key makes a retry safe: the server stores one job.
    call->AddMetadata("idempotency-key", random_key());
    v1::RunCircuitResponse job;
    auto status = circuits_->RunCircuit(call.get(), request, &job);
    if (!status.ok()) throw std::runtime_error(status.error_message());
    return job.job_id();
  }

  // Follows a job to its end. After a broken connection it resumes after the last event.
  v1::JobResult result(const std::string& id) {
    v1::WatchJobRequest request;
    request.set_id(id);
    request.set_with_result(true);
    request.set_after_sequence(0);  // from the first event
    for (;;) {
      auto call = authorized();
      auto events = jobs_->WatchJob(call.get(), request);
      for (v1::JobEvent event; events->Read(&event);) {
        request.set_after_sequence(event.sequence());
        auto status = event.job().status();
        if (!event.checkpoint()) std::cout << v1::Job::Status_Name(status) << "\n";
        if (event.has_result()) return event.result();
        if (status == v1::Job::failed || status == v1::Job::timeout || status == v1::Job::cancelled) {
          throw std::runtime_error("the job ended as " + v1::Job::Status_Name(status) + ": " +
                                   event.job().error_message());
        }
      }
      auto status = events->Finish();
      if (status.error_code() != grpc::StatusCode::UNAVAILABLE) {
        throw std::runtime_error(status.error_message());
      }
      std::this_thread::sleep_for(std::chrono::seconds(1));
    }
  }

 private:
  std::unique_ptr<grpc::ClientContext> authorized() {
    auto call = std::make_unique<grpc::ClientContext>();
    call->AddMetadata("authorization", std::string("Bearer ") + std::getenv("QUANTCLOUD_TOKEN"));
    return call;
  }

  std::unique_ptr<v1::CircuitService::Stub> circuits_;
  std::unique_ptr<v1::JobService::Stub> jobs_;
};

int main(int, char** arguments) {
  Client client(arguments[1]);
  auto id = client.submit("qreg q[1]; creg c[1]; x q[0]; measure q -> c;", 100);
  auto result = client.result(id);
  for (auto& [outcome, count] : result.counts()) {
    std::cout << outcome << ": " << count << "\n";
  }
  try {
    client.submit("qreg q[1]", 1);
  } catch (const std::runtime_error& error) {
    std::cout << error.what() << "\n";
  }
}
