// Convolutions of f32 on tensor cores, which multiply bf16 and add in f32.
//
// A number of f32 is the sum of three of bf16, exactly: 24 bits in three times 8. Signs are bf16 already, so that a
// product with them takes three multiplications and is as exact as in f32; one of two such sums takes the six of its
// nine multiplications that matter in f32. With one bf16 a number, both take one.

// Terms that are added at a time, and 32-bit words of a row of a tile in shared memory, each with two neighbours along
// the depth; rows start in different banks.
#define DEPTH 32
#define PITCH (DEPTH / 2 + 4)

// The nearest two of bf16, the first in the low half.
__device__ unsigned pack(float first, float second) {
    unsigned word;
    asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(word) : "f"(second), "f"(first));
    return word;
}

// Adds the product of a 16 x 16 and a 16 x 8 matrix that the threads of a warp hold together.
__device__ void multiply_add(float (&c)[4], const unsigned (&a)[4], const unsigned (&b)[2]) {
    asm("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
        "{%0, %1, %2, %3};"
        : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

// The nearest two of bf16, which are taken off.
__device__ unsigned take(float& first, float& second) {
    const unsigned word = pack(first, second);
    first -= __uint_as_float(word << 16);
    second -= __uint_as_float(word & 0xffff0000u);
    return word;
}

// Runs of four, as in conv.cu, of a tile with RUNS * THREADS * 4 elements.
template <int RUNS>
struct FourAlongDepth {
    static const int COUNT = RUNS, WIDTH = 4, ACROSS = DEPTH / 4;
    __device__ static int depth(int) { return threadIdx.x % ACROSS * 4; }
    __device__ static int at(int i) { return threadIdx.x / ACROSS + i * (THREADS / ACROSS); }

    // Writes TERMS words for each two numbers, one a plane, whose sums they are.
    template <int TERMS>
    __device__ static void store(float* values, unsigned* tile, int plane) {
        for (int i = 0; i < COUNT; i++) {
            float* four = values + 4 * i;
            for (int term = 0; term < TERMS; term++) {
                const uint2 words = {take(four[0], four[1]), take(four[2], four[3])};
                *(uint2*)(tile + term * plane + at(i) * PITCH + depth(i) / 2) = words;
            }
        }
    }
};

// A thread has two runs, neighbours along the depth, of each four rows.
template <int RUNS>
struct FourAcrossDepth {
    static const int COUNT = RUNS, WIDTH = 4, PAIRS = DEPTH / 2;
    __device__ static int depth(int i) { return threadIdx.x % PAIRS * 2 + i % 2; }
    __device__ static int at(int i) { return (threadIdx.x / PAIRS + i / 2 * (THREADS / PAIRS)) * 4; }

    template <int TERMS>
    __device__ static void store(float* values, unsigned* tile, int plane) {
        for (int i = 0; i < COUNT; i += 2) {
            for (int j = 0; j < 4; j++) {
                unsigned* to = tile + (at(i) + j) * PITCH + depth(i) / 2;
                for (int term = 0; term < TERMS; term++) {
                    to[term * plane] = take(values[4 * i + j], values[4 * i + 4 + j]);
                }
            }
        }
    }
};

// Makes a tile of `left * right`, whose numbers have LEFT and RIGHT terms; a warp makes 32 x 32 sums.
template <int LEFT, int RIGHT>
struct Tensor {
    static const int LEFT_PLANE = TILE_M * PITCH, RIGHT_PLANE = TILE_N * PITCH, TERMS = LEFT > RIGHT ? LEFT : RIGHT;

    template <class Left, class Right>
    __device__ static void multiply(const Left& left, const Right& right, const Product& product) {
        __shared__ __align__(16) unsigned a[LEFT * LEFT_PLANE];
        __shared__ __align__(16) unsigned b[RIGHT * RIGHT_PLANE];
        const int end = product.end();
        float sums[2][4][4] = {}, next_a[Left::COUNT * 4], next_b[Right::COUNT * 4];
        left.load(product.first(), end, next_a);
        right.load(product.first(), end, next_b);
        for (int from = product.first(); from < end; from += DEPTH) {
            Left::template store<LEFT>(next_a, a, LEFT_PLANE);
            Right::template store<RIGHT>(next_b, b, RIGHT_PLANE);
            __syncthreads();
            left.load(from + DEPTH, end, next_a);
            right.load(from + DEPTH, end, next_b);
            #pragma unroll
            for (int k = 0; k < DEPTH; k += 16) add_products(a, b, k, sums);
            __syncthreads();
        }
        for (int i = 0; i < 2; i++) {
            for (int j = 0; j < 4; j++) {
                for (int part = 0; part < 4; part++) {
                    const int m = warp_m() + i * 16 + lane() / 4 + part / 2 * 8;
                    product.put_sum(m, warp_n() + j * 8 + lane() % 4 * 2 + part % 2, sums[i][j][part]);
                }
            }
        }
    }

    // Adds the terms from `k` on, 16 of them.
    __device__ static void add_products(const unsigned* a, const unsigned* b, int k, float (&sums)[2][4][4]) {
        const int word = k / 2 + lane() % 4;
        unsigned right[RIGHT][4][2];
        for (int term = 0; term < RIGHT; term++) {
            for (int j = 0; j < 4; j++) {
                const unsigned* row = b + term * RIGHT_PLANE + (warp_n() + j * 8 + lane() / 4) * PITCH + word;
                right[term][j][0] = row[0], right[term][j][1] = row[4];
            }
        }
        for (int i = 0; i < 2; i++) {
            for (int term = LEFT - 1; term >= 0; term--) {
                const unsigned* row = a + term * LEFT_PLANE + (warp_m() + i * 16 + lane() / 4) * PITCH + word;
                const unsigned left[4] = {row[0], row[8 * PITCH], row[4], row[8 * PITCH + 4]};
                for (int other = 0; other < RIGHT && term + other < TERMS; other++) {
                    for (int j = 0; j < 4; j++) multiply_add(sums[i][j], left, right[other][j]);
                }
            }
        }
    }

    __device__ static int lane() { return threadIdx.x % 32; }
    __device__ static int warp_m() { return threadIdx.x / 32 % 4 * 32; }
    __device__ static int warp_n() { return threadIdx.x / 32 / 4 * 32; }

    typedef FourAlongDepth<4> LeftAlong;
    typedef FourAcrossDepth<4> LeftAcross;
    typedef FourAlongDepth<2> RightAlong;
    typedef FourAcrossDepth<2> RightAcross;
};

typedef Tensor<3, 3> Exact;
typedef Tensor<3, 1> ExactTimesSign;
typedef Tensor<1, 1> Rounded;

KERNELS(_tensor, Exact, ExactTimesSign)
KERNELS(_bf16, Rounded, Rounded)
