// A worker of side.py: one convolution in oneDNN (version 2 or 3).
//
//   onednn_worker SHAPE KIND IMAGES
//
// SHAPE is CIN,COUT,SIDE,KERNEL,STRIDE,PADDING,GROUPS; KIND is f32 (bias and ReLU
// included), plain, u8s8s32, s8s8s32, u8s8u8 (bias, a scale per channel and ReLU
// included), bwd_d or bwd_w. Tensors are in the layouts that the library prefers,
// brought there before. Threads come from OMP_NUM_THREADS.
// Build: g++ -O2 -std=c++17 onednn_worker.cpp -ldnnl
#include <dnnl.hpp>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <unordered_map>
#include <vector>

using namespace dnnl;
using Type = memory::data_type;
using Tag = memory::format_tag;

static memory random_tensor(const memory::desc &desc, const engine &eng, Type type) {
  memory m(desc, eng);
  auto *bytes = static_cast<unsigned char *>(m.get_data_handle());
  for (size_t i = 0; i < desc.get_size(); i++) bytes[i] = (i * 2654435761u >> 20) & 63;
  if (type == Type::f32) {
    auto *values = reinterpret_cast<float *>(bytes);
    for (size_t i = 0; i < desc.get_size() / sizeof(float); i++) values[i] = int((i * 2654435761u >> 20) & 255) / 256.0f - 0.5f;
  }
  return m;
}

struct Case {
  memory::dims src, weights, dst, stride, pad;
  std::string kind;
  Type tsrc = Type::f32, tweights = Type::f32, tdst = Type::f32, tbias = Type::f32;
  engine eng{engine::kind::cpu, 0};
  stream str{eng};
  primitive conv;
  std::unordered_map<int, memory> args;
  std::string impl;

  memory::desc any(const memory::dims &d, Type t) { return {d, t, Tag::any}; }

  primitive_attr attributes() {
    primitive_attr attr;
    if (kind != "f32" && kind != "u8s8u8") return attr;
    post_ops after;
#if DNNL_VERSION_MAJOR >= 3
    after.append_eltwise(algorithm::eltwise_relu, 0.f, 0.f);
    if (kind == "u8s8u8") {
      attr.set_scales_mask(DNNL_ARG_WEIGHTS, weights.size() == 5 ? 3 : 1);
      memory m({{dst[1]}, Type::f32, Tag::x}, eng);
      for (int i = 0; i < dst[1]; i++) static_cast<float *>(m.get_data_handle())[i] = 0.003f;
      args[DNNL_ARG_ATTR_SCALES | DNNL_ARG_WEIGHTS] = m;
    }
#else
    after.append_eltwise(1.f, algorithm::eltwise_relu, 0.f, 0.f);
    if (kind == "u8s8u8") attr.set_output_scales(1 << 1, std::vector<float>(dst[1], 0.003f));
#endif
    attr.set_post_ops(after);
    return attr;
  }

  convolution_forward::primitive_desc forward(bool bias) {
    auto prop = kind[0] == 'b' ? prop_kind::forward_training : prop_kind::forward_inference;
    memory::desc s = any(src, tsrc), w = any(weights, tweights), d = any(dst, tdst), b;
    if (bias) b = memory::desc({dst[1]}, tbias, Tag::x);
#if DNNL_VERSION_MAJOR >= 3
    return {eng, prop, algorithm::convolution_direct, s, w, b, d, stride, pad, pad, attributes()};
#else
    if (!bias) return {{prop, algorithm::convolution_direct, s, w, d, stride, pad, pad}, attributes(), eng};
    return {{prop, algorithm::convolution_direct, s, w, b, d, stride, pad, pad}, attributes(), eng};
#endif
  }

  void put(int arg, const memory::desc &desc, Type type) { args[arg] = random_tensor(desc, eng, type); }

  void prepare() {
    bool bias = kind == "f32" || kind == "u8s8u8";
    auto fwd = forward(bias);
    memory::desc s = any(src, tsrc), w = any(weights, tweights), d = any(dst, tdst);
    if (kind == "bwd_d") {
#if DNNL_VERSION_MAJOR >= 3
      convolution_backward_data::primitive_desc p(eng, algorithm::convolution_direct, s, w, d, stride, pad, pad, fwd);
#else
      convolution_backward_data::primitive_desc p({algorithm::convolution_direct, s, w, d, stride, pad, pad}, eng, fwd);
#endif
      put(DNNL_ARG_DIFF_SRC, p.diff_src_desc(), tsrc);
      put(DNNL_ARG_WEIGHTS, p.weights_desc(), tweights);
      put(DNNL_ARG_DIFF_DST, p.diff_dst_desc(), tdst);
      conv = convolution_backward_data(p), impl = p.impl_info_str();
    } else if (kind == "bwd_w") {
#if DNNL_VERSION_MAJOR >= 3
      convolution_backward_weights::primitive_desc p(eng, algorithm::convolution_direct, s, w, d, stride, pad, pad, fwd);
#else
      convolution_backward_weights::primitive_desc p({algorithm::convolution_direct, s, w, d, stride, pad, pad}, eng, fwd);
#endif
      put(DNNL_ARG_SRC, p.src_desc(), tsrc);
      put(DNNL_ARG_DIFF_WEIGHTS, p.diff_weights_desc(), tweights);
      put(DNNL_ARG_DIFF_DST, p.diff_dst_desc(), tdst);
      conv = convolution_backward_weights(p), impl = p.impl_info_str();
    } else {
      put(DNNL_ARG_SRC, fwd.src_desc(), tsrc);
      put(DNNL_ARG_WEIGHTS, fwd.weights_desc(), tweights);
      put(DNNL_ARG_DST, fwd.dst_desc(), tdst);
      if (bias) put(DNNL_ARG_BIAS, fwd.bias_desc(), tbias);
      conv = convolution_forward(fwd), impl = fwd.impl_info_str();
    }
  }

  void run() {
    conv.execute(str, args);
    str.wait();
  }
};

int main(int argc, char **argv) {
  long c, o, side, k, s, p, g, n;
  if (argc != 4 || sscanf(argv[1], "%ld,%ld,%ld,%ld,%ld,%ld,%ld", &c, &o, &side, &k, &s, &p, &g) != 7 || (n = atol(argv[3])) < 1) {
    fprintf(stderr, "usage: onednn_worker CIN,COUT,SIDE,KERNEL,STRIDE,PADDING,GROUPS KIND IMAGES\n");
    return 2;
  }
  try {
    Case x;
    long out = (side + 2 * p - k) / s + 1;
    x.kind = argv[2];
    x.src = {n, c, side, side}, x.dst = {n, o, out, out}, x.stride = {s, s}, x.pad = {p, p};
    x.weights = {o, c, k, k};
    if (g > 1) x.weights = {g, o / g, c / g, k, k};
    if (x.kind == "u8s8s32" || x.kind == "s8s8s32" || x.kind == "u8s8u8") {
      x.tsrc = x.kind[0] == 's' ? Type::s8 : Type::u8, x.tweights = Type::s8;
      x.tdst = x.kind == "u8s8u8" ? Type::u8 : Type::s32, x.tbias = DNNL_VERSION_MAJOR >= 3 ? Type::f32 : Type::s32;
    } else if (x.kind != "f32" && x.kind != "plain" && x.kind != "bwd_d" && x.kind != "bwd_w") {
      fprintf(stderr, "there is no kind %s\n", argv[2]);
      return 2;
    }
    x.prepare();
    x.run();
    printf("ready items=%ld impl=%s version=%d.%d.%d\n", n, x.impl.c_str(), DNNL_VERSION_MAJOR, DNNL_VERSION_MINOR, DNNL_VERSION_PATCH);
    fflush(stdout);
    long runs;
    while (scanf(" run %ld", &runs) == 1) {
      auto began = std::chrono::steady_clock::now();
      for (long i = 0; i < runs; i++) x.run();
      printf("ns %lld\n", (long long)std::chrono::nanoseconds(std::chrono::steady_clock::now() - began).count());
      fflush(stdout);
    }
  } catch (const error &e) {
    fprintf(stderr, "oneDNN: %s\n", e.what());
    return 1;
  }
}
