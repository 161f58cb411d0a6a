// Convolutions of f32 on tensor cores, which multiply bf16 and add in f32.
//
// A number of f32 is the sum of three of bf16, exactly: 24 bits in three times 8. Signs are bf16 already, so that a
// product with them takes three multiplications and is as exact as in f32; one of two such sums takes the six of its
// nine multiplications that matter in f32. With one bf16 a number, both take one.

#define TENSOR_THREADS 128
// Terms that are added at a time.
#define DEPTH 32
// Words, of two bf16 each, behind a row of a tile in shared memory, so that rows start in different banks.
#define PADDING 4

// The nearest two of bf16, the first in the low half.
__device__ unsigned pack(float first, float second) {
    unsigned word;
    asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(word) : "f"(second), "f"(first));
    return word;
}

// As `pack`; takes them off.
__device__ unsigned take(float& first, float& second) {
    const unsigned word = pack(first, second);
    first -= __uint_as_float(word << 16);
    second -= __uint_as_float(word & 0xffff0000u);
    return word;
}

// Adds the product of a 16 x 16 and a 16 x 8 matrix that the threads of a warp hold together.
__device__ void multiply_add(float (&c)[4], const unsigned (&a)[4], const unsigned* b) {
    asm("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
        "{%0, %1, %2, %3};"
        : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

// Four matrices of 8 x 8, or their transposes, whose rows start where threads 0 to 31 say.
template <bool TRANSPOSED>
__device__ void load_matrices(const unsigned* row, unsigned (&words)[4]) {
    const unsigned at = __cvta_generic_to_shared(row);
    if (TRANSPOSED) {
        asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
            : "=r"(words[0]), "=r"(words[1]), "=r"(words[2]), "=r"(words[3]) : "r"(at) : "memory");
    } else {
        asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
            : "=r"(words[0]), "=r"(words[1]), "=r"(words[2]), "=r"(words[3]) : "r"(at) : "memory");
    }
}

// Runs of four, as in conv.cu, along the depth of a tile of SIZE rows, which lies in shared memory as it is loaded:
// `[SIZE, DEPTH]`.
template <int SIZE>
struct FourAlongDepth {
    static const int WIDTH = 4, ACROSS = DEPTH / 4, COUNT = SIZE * ACROSS / TENSOR_THREADS;
    static const int PITCH = DEPTH / 2 + PADDING, PLANE = SIZE * PITCH;
    static const bool TRANSPOSED = false;

    __device__ static int depth(int) { return threadIdx.x % ACROSS * 4; }

    // Every two groups of eight threads have rows that are four apart, whose banks differ.
    __device__ static int at(int i) {
        const int group = threadIdx.x / ACROSS;
        return i * (TENSOR_THREADS / ACROSS) + (group & ~7) + (group & 1) * 4 + (group >> 1 & 3);
    }

    __device__ static int word(int at, int depth) { return at * PITCH + depth / 2; }

    // Row `row` of a matrix of 8 x 8 that starts at `at` and `depth`.
    __device__ static int row_of(int at, int depth, int row) { return word(at + row, depth); }
};

// As above across the depth: `[DEPTH, SIZE]`.
template <int SIZE>
struct FourAcrossDepth {
    static const int WIDTH = 4, ACROSS = SIZE / 4, COUNT = DEPTH * ACROSS / TENSOR_THREADS;
    static const int PITCH = SIZE / 2 + PADDING, PLANE = DEPTH * PITCH;
    static const bool TRANSPOSED = true;

    __device__ static int depth(int i) { return threadIdx.x / ACROSS + i * (TENSOR_THREADS / ACROSS); }
    __device__ static int at(int) { return threadIdx.x % ACROSS * 4; }
    __device__ static int word(int at, int depth) { return depth * PITCH + at / 2; }
    __device__ static int row_of(int at, int depth, int row) { return word(at, depth + row); }
};

// Writes runs to a tile, TERMS planes whose sum they are.
template <class Runs, int TERMS>
__device__ void store(float* values, unsigned* tile) {
    for (int i = 0; i < Runs::COUNT; i++) {
        float* four = values + 4 * i;
        for (int term = 0; term < TERMS; term++) {
            const uint2 words = {take(four[0], four[1]), take(four[2], four[3])};
            *(uint2*)(tile + term * Runs::PLANE + Runs::word(Runs::at(i), Runs::depth(i))) = words;
        }
    }
}

// Makes a tile of `left * right`, whose numbers have LEFT and RIGHT terms; a warp makes 32 rows of sums.
template <int LEFT, int RIGHT>
struct Tensor {
    typedef FourAlongDepth<TILE_M> LeftAlong;
    typedef FourAcrossDepth<TILE_M> LeftAcross;
    typedef FourAlongDepth<TILE_N> RightAlong;
    typedef FourAcrossDepth<TILE_N> RightAcross;
    static const int TERMS = LEFT > RIGHT ? LEFT : RIGHT, ROW_TILES = 2, COLUMN_TILES = TILE_N / 8;

    template <class Left, class Right>
    __device__ static void multiply(const Left& left, const Right& right, const Product& product) {
        __shared__ __align__(16) unsigned a[LEFT * Left::PLANE];
        __shared__ __align__(16) unsigned b[RIGHT * Right::PLANE];
        const int end = product.end();
        float sums[ROW_TILES][COLUMN_TILES][4] = {}, next_a[Left::COUNT * 4], next_b[Right::COUNT * 4];
        left.load(product.first(), end, next_a);
        right.load(product.first(), end, next_b);
        for (int from = product.first(); from < end; from += DEPTH) {
            store<Left, LEFT>(next_a, a);
            store<Right, RIGHT>(next_b, b);
            __syncthreads();
            left.load(from + DEPTH, end, next_a);
            right.load(from + DEPTH, end, next_b);
            #pragma unroll
            for (int k = 0; k < DEPTH; k += 16) add_products<Left, Right>(a, b, k, sums);
            __syncthreads();
        }
        #pragma unroll
        for (int i = 0; i < ROW_TILES; i++) {
            #pragma unroll
            for (int j = 0; j < COLUMN_TILES; j++) {
                #pragma unroll
                for (int part = 0; part < 4; part++) {
                    const int m = warp_row() + i * 16 + lane() / 4 + part / 2 * 8;
                    product.put_sum(m, j * 8 + lane() % 4 * 2 + part % 2, sums[i][j][part]);
                }
            }
        }
    }

    // Adds the terms from `k` on, 16 of them.
    template <class Left, class Right>
    __device__ static void add_products(
        const unsigned* a, const unsigned* b, int k, float (&sums)[ROW_TILES][COLUMN_TILES][4]
    ) {
        const int row = lane() % 8, half = lane() / 8 % 2 * 8, other_half = lane() / 16 * 8;
        unsigned left[ROW_TILES][LEFT][4];
        #pragma unroll
        for (int i = 0; i < ROW_TILES; i++) {
            #pragma unroll
            for (int term = 0; term < LEFT; term++) {
                const int at = Left::row_of(warp_row() + i * 16 + half, k + other_half, row);
                load_matrices<Left::TRANSPOSED>(a + term * Left::PLANE + at, left[i][term]);
            }
        }
        #pragma unroll
        for (int j = 0; j < COLUMN_TILES; j += 2) {
            #pragma unroll
            for (int other = 0; other < RIGHT; other++) {
                unsigned right[4];
                const int at = Right::row_of(j * 8 + other_half, k + half, row);
                load_matrices<Right::TRANSPOSED>(b + other * Right::PLANE + at, right);
                #pragma unroll
                for (int term = min(LEFT, TERMS - other) - 1; term >= 0; term--) {
                    #pragma unroll
                    for (int i = 0; i < ROW_TILES; i++) {
                        multiply_add(sums[i][j], left[i][term], right);
                        multiply_add(sums[i][j + 1], left[i][term], right + 2);
                    }
                }
            }
        }
    }

    __device__ static int lane() { return threadIdx.x % 32; }
    __device__ static int warp_row() { return threadIdx.x / 32 * 32; }
};

typedef Tensor<3, 3> Exact;
typedef Tensor<3, 1> ExactTimesSign;
typedef Tensor<1, 1> Rounded;

KERNELS(_tensor, Exact, ExactTimesSign)
KERNELS(_bf16, Rounded, Rounded)
