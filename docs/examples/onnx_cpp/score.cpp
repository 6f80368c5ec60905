// Scores events with model.onnx: one line of 28 numbers per event on standard input, one
// probability of signal per line on standard output.
//
// Usage: score MODEL.onnx < events.txt
#include <onnxruntime_cxx_api.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <iostream>
#include <vector>

constexpr std::int64_t kFeatures = 28;
constexpr std::int64_t kBatch = 4096;

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: score MODEL.onnx < events.txt\n";
    return 2;
  }
  std::vector<float> values;
  for (float value; std::cin >> value;) values.push_back(value);
  if (!std::cin.eof() || values.size() % kFeatures != 0) {
    std::cerr << "expected " << kFeatures << " numbers per event\n";
    return 2;
  }

  // One session serves any number of threads and of events.
  Ort::Env env(ORT_LOGGING_LEVEL_WARNING, "higgs");
  Ort::Session session(env, argv[1], Ort::SessionOptions{});
  const auto memory = Ort::MemoryInfo::CreateCpu(OrtArenaAllocator, OrtMemTypeDefault);
  const char* input = "features";
  const char* output = "signal_probability";

  const auto events = static_cast<std::int64_t>(values.size()) / kFeatures;
  for (std::int64_t first = 0; first < events; first += kBatch) {
    const std::array<std::int64_t, 2> shape{std::min(kBatch, events - first), kFeatures};
    auto batch = Ort::Value::CreateTensor<float>(memory, values.data() + first * kFeatures,
                                                 shape[0] * kFeatures, shape.data(), shape.size());
    auto scores = session.Run(Ort::RunOptions{}, &input, &batch, 1, &output, 1);
    const float* score = scores[0].GetTensorData<float>();
    for (std::int64_t row = 0; row < shape[0]; ++row) std::printf("%.9g\n", score[row]);
  }
}
