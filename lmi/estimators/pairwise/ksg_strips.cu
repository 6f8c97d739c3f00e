// KSG1 of pairs of columns by rank strips: one block of threads a pair. Compiled at run time by NVRTC; with -DEMULATE by
// any C++ compiler, one thread a block, so that the same source is tested where there is no GPU.
//
// Macros: K neighbours; LOGS, log2 of the points S in a strip; WIDE, keys of 64 bits (more than 65,536 rows);
// SCRATCH, keys in global memory and values read where they are (more rows than shared memory holds).
//
// The points stand in the order of x and are cut into strips of S. In each strip the keys (rank of y, place in x) are
// sorted, so that its points stand in the order of y. A point walks up and down in y through its own strip, then through
// the nearest strip not yet visited, until the gap in x alone exceeds its K-th best distance. Counts strictly inside that
// radius are binary searches in the sorted columns. Distances are differences of the same float64 as on the CPU.
#ifdef EMULATE
#include <cstddef>
#define __global__
#define __device__
#define __restrict__
#define __forceinline__ inline
#define __launch_bounds__(...)
#define __syncthreads()
static struct { int x; } threadIdx = {0}, blockDim = {1}, blockIdx = {0}, gridDim = {1};
static char smem[1 << 22];
#else
extern __shared__ __align__(16) char smem[];
#endif
#ifdef WIDE
typedef unsigned long long Key;
#define SHIFT 32
#else
typedef unsigned int Key;
#define SHIFT 16
#endif
#define S (1 << LOGS)
#define PLACE(key) ((int)((key) & ((((Key)1) << SHIFT) - 1)))
#define RANK(key) ((int)((key) >> SHIFT))
#define FAR 1e30
#define TINY 2.2250738585072014e-308  // a radius of 0 still counts points at distance 0

__device__ __forceinline__ double larger(double a, double b) { return a > b ? a : b; }
__device__ __forceinline__ double smaller(double a, double b) { return a < b ? a : b; }
__device__ __forceinline__ double size_of(double a) { return a < 0 ? -a : a; }

struct Nearest {  // the K smallest distances so far, ascending
  double best[K];
  __device__ __forceinline__ void clear() {
#pragma unroll
    for (int i = 0; i < K; i++) best[i] = FAR;
  }
  __device__ __forceinline__ void insert(double distance) {
#pragma unroll
    for (int i = K - 1; i > 0; i--) best[i] = larger(best[i - 1], smaller(best[i], distance));
    best[0] = smaller(best[0], distance);
  }
};

// Points right (left) of place p whose distance is strictly below the radius; top is a power of two, at least n / 2.
__device__ __forceinline__ int count_right(const double* sorted, int n, int top, int p, double radius) {
  int q = p;
  double centre = sorted[p];
  for (int step = top; step; step >>= 1)
    if (q + step < n && sorted[q + step] - centre < radius) q += step;
  return q - p;
}
__device__ __forceinline__ int count_left(const double* sorted, int top, int p, double radius) {
  int q = p;
  double centre = sorted[p];
  for (int step = top; step; step >>= 1)
    if (q - step >= 0 && centre - sorted[q - step] < radius) q -= step;
  return p - q;
}

// x_sorted (., n), x_order (., n): values in order and the rows they come from; y_sorted (., n), y_rank (., n): values in
// order and the rank of each row; left, right (pairs,): which column of x and of y; psi (n + 1,): digamma; out (pairs,).
extern "C" __global__ void __launch_bounds__(1024)
ksg_pairs(const double* __restrict__ x_sorted, const int* __restrict__ x_order, const double* __restrict__ y_sorted,
          const int* __restrict__ y_rank, const int* __restrict__ left, const int* __restrict__ right,
          const double* __restrict__ psi, Key* __restrict__ scratch, double* __restrict__ out, int n, int top, int pairs) {
  const int strips = (n + S - 1) >> LOGS, padded = strips << LOGS;
  for (int pair = blockIdx.x; pair < pairs; pair += gridDim.x) {
    const double* a = x_sorted + (long long)left[pair] * n;
    const double* b = y_sorted + (long long)right[pair] * n;
    const int* order = x_order + (long long)left[pair] * n;
    const int* rank = y_rank + (long long)right[pair] * n;
#ifdef SCRATCH
    const double *xs = a, *ys = b;
    Key* key = scratch + (long long)blockIdx.x * padded;
#else
    double* xs = (double*)smem;
    double* ys = xs + n;
    Key* key = (Key*)(ys + n);
    for (int i = threadIdx.x; i < n; i += blockDim.x) {
      xs[i] = a[i];
      ys[i] = b[i];
    }
#endif
    for (int i = threadIdx.x; i < padded; i += blockDim.x) key[i] = i < n ? ((Key)rank[order[i]] << SHIFT) | (Key)i : ~(Key)0;
    __syncthreads();
    for (int size = 2; size <= S; size <<= 1)  // bitonic sort inside every strip
      for (int gap = size >> 1; gap; gap >>= 1) {
        for (int i = threadIdx.x; i < (padded >> 1); i += blockDim.x) {
          int low = ((i & ~(gap - 1)) << 1) | (i & (gap - 1)), high = low | gap;
          Key first = key[low], second = key[high];
          bool up = ((low & (S - 1)) & size) == 0 || size == S;
          if ((first > second) == up) {
            key[low] = second;
            key[high] = first;
          }
        }
        __syncthreads();
      }
    double total = 0;
    for (int i = threadIdx.x; i < n; i += blockDim.x) {
      const int p = PLACE(key[i]), q = RANK(key[i]);
      const double x = xs[p], y = ys[q];
      Nearest nearest;
      nearest.clear();
      int strip = i >> LOGS, before = strip - 1, behind = strip + 1, start = i + 1, own = 1;
      while (true) {
        const int begin = strip << LOGS, end = (strip + 1) << LOGS < n ? (strip + 1) << LOGS : n;
        for (int j = start; j < end; j++) {
          double dy = ys[RANK(key[j])] - y;
          if (dy >= nearest.best[K - 1]) break;
          nearest.insert(larger(dy, size_of(xs[PLACE(key[j])] - x)));
        }
        for (int j = start - 1 - own; j >= begin; j--) {
          double dy = y - ys[RANK(key[j])];
          if (dy >= nearest.best[K - 1]) break;
          nearest.insert(larger(dy, size_of(xs[PLACE(key[j])] - x)));
        }
        own = 0;
        const double gap_before = before >= 0 ? x - xs[(before << LOGS) + S - 1] : FAR;
        const double gap_behind = behind < strips ? xs[behind << LOGS] - x : FAR;
        if (smaller(gap_before, gap_behind) >= nearest.best[K - 1]) break;
        strip = gap_before <= gap_behind ? before-- : behind++;
        start = strip << LOGS;  // becomes the first place of this strip whose rank of y is not below q
        const int stop = (strip + 1) << LOGS < n ? (strip + 1) << LOGS : n;
        for (int step = S; step; step >>= 1)
          if (start + step <= stop && RANK(key[start + step - 1]) < q) start += step;
      }
      double radius = nearest.best[K - 1];
      if (radius <= 0) {  // more than K points coincide: as many neighbours as there are of them
        int same = 0;
        for (int t = p; t < n && xs[t] == x; t++) same += ys[rank[order[t]]] == y;
        for (int t = p - 1; t >= 0 && xs[t] == x; t--) same += ys[rank[order[t]]] == y;
        radius = TINY;
        total -= psi[same] - psi[K];
      }
      total += psi[1 + count_right(xs, n, top, p, radius) + count_left(xs, top, p, radius)];
      total += psi[1 + count_right(ys, n, top, q, radius) + count_left(ys, top, q, radius)];
    }
#ifdef EMULATE
    out[pair] = psi[K] + psi[n] - total / n;
#else
    for (int lane = 16; lane; lane >>= 1) total += __shfl_xor_sync(~0u, total, lane);
    __shared__ double warps[32];
    if ((threadIdx.x & 31) == 0) warps[threadIdx.x >> 5] = total;
    __syncthreads();
    if (threadIdx.x == 0) {
      double sum = 0;
      for (int w = 0; w < (int)(blockDim.x >> 5); w++) sum += warps[w];
      out[pair] = psi[K] + psi[n] - sum / n;
    }
    __syncthreads();  // the next pair overwrites what this one reads
#endif
  }
}
