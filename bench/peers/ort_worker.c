// A worker of side.py: an ONNX model in ONNX Runtime, through its C interface.
//
//   ort_worker LIBRARY MODEL [batch=N] [threads=N] [once]
//
// LIBRARY is the path of libonnxruntime; with `once` the worker ends after its first
// run. The interface is a table of function pointers whose order never changes, so
// that no header is needed: the places used are below.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
  GetErrorMessage = 2, CreateEnv = 3, CreateSession = 7, Run = 9, CreateSessionOptions = 10,
  SetSessionGraphOptimizationLevel = 23, SetIntraOpNumThreads = 24, SetInterOpNumThreads = 25,
  SessionGetInputTypeInfo = 33, SessionGetInputName = 36, SessionGetOutputName = 37,
  CreateTensorWithData = 49, CastTypeInfoToTensorInfo = 55, GetDimensionsCount = 61, GetDimensions = 62,
  CreateCpuMemoryInfo = 69, GetAllocatorWithDefaultOptions = 78, ReleaseValue = 96
};
enum { logError = 3, optimizeAll = 99, typeFloat = 1 };
typedef struct { void **(*api)(uint32_t); const char *(*version)(void); } Base;

static void **table;

static void check(void *status) {
  if (!status) return;
  fprintf(stderr, "ONNX Runtime: %s\n", ((const char *(*)(void *))table[GetErrorMessage])(status));
  exit(1);
}
#define CALL(name, types, ...) check(((void *(*) types)table[name])(__VA_ARGS__))

static void *session, *input;
static char *inputName, *outputName;

static void run(void) {
  void *output = NULL;
  const void *inputs[] = {input};
  const char *in[] = {inputName}, *out[] = {outputName};
  CALL(Run, (void *, void *, const char **, const void **, size_t, const char **, size_t, void **),
       session, NULL, in, inputs, 1, out, 1, &output);
  ((void (*)(void *))table[ReleaseValue])(output);
}

static long long now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000000000LL + t.tv_nsec;
}

int main(int argc, char **argv) {
  long batch = 1, threads = 1, once = 0;
  if (argc < 3) return fprintf(stderr, "usage: ort_worker LIBRARY MODEL [batch=N] [threads=N] [once]\n"), 2;
  for (int i = 3; i < argc; i++) {
    sscanf(argv[i], "batch=%ld", &batch);
    sscanf(argv[i], "threads=%ld", &threads);
    once |= !strcmp(argv[i], "once");
  }
  void *library = dlopen(argv[1], RTLD_NOW);
  if (!library) return fprintf(stderr, "%s\n", dlerror()), 1;
  const Base *base = ((const Base *(*)(void))dlsym(library, "OrtGetApiBase"))();
  table = base->api(14);
  void *env, *options, *allocator, *type, *memory;
  const void *shape;
  size_t rank, count = 1;
  int64_t dims[8];
  CALL(CreateEnv, (int, const char *, void **), logError, "worker", &env);
  CALL(CreateSessionOptions, (void **), &options);
  CALL(SetSessionGraphOptimizationLevel, (void *, int), options, optimizeAll);
  CALL(SetIntraOpNumThreads, (void *, int), options, (int)threads);
  CALL(SetInterOpNumThreads, (void *, int), options, 1);
  CALL(CreateSession, (void *, const char *, void *, void **), env, argv[2], options, &session);
  CALL(GetAllocatorWithDefaultOptions, (void **), &allocator);
  CALL(SessionGetInputName, (void *, size_t, void *, char **), session, 0, allocator, &inputName);
  CALL(SessionGetOutputName, (void *, size_t, void *, char **), session, 0, allocator, &outputName);
  CALL(SessionGetInputTypeInfo, (void *, size_t, void **), session, 0, &type);
  CALL(CastTypeInfoToTensorInfo, (void *, const void **), type, &shape);
  CALL(GetDimensionsCount, (const void *, size_t *), shape, &rank);
  if (rank > 8) return 1;
  CALL(GetDimensions, (const void *, int64_t *, size_t), shape, dims, rank);
  dims[0] = batch;
  for (size_t i = 0; i < rank; i++) count *= dims[i];
  float *x = malloc(count * sizeof *x);
  for (size_t i = 0; i < count; i++) x[i] = (int)((i * 2654435761u >> 20) & 1023) / 256.0f - 2;
  CALL(CreateCpuMemoryInfo, (int, int, void **), 0, 0, &memory);
  CALL(CreateTensorWithData, (void *, void *, size_t, int64_t *, size_t, int, void **),
       memory, x, count * sizeof *x, dims, rank, typeFloat, &input);
  run();
  printf("ready items=%ld version=%s\n", batch, base->version());
  fflush(stdout);
  long k;
  while (!once && scanf(" run %ld", &k) == 1) {
    long long began = now();
    for (long i = 0; i < k; i++) run();
    printf("ns %lld\n", now() - began);
    fflush(stdout);
  }
  return 0;
}
