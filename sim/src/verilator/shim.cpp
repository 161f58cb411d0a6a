// C interface of a verilated model. Generated before this text: the ports, `empf_port` and EMPF_CLOCK.

#include "verilated.h"
#if VM_TRACE_FST
#include "verilated_fst_c.h"
#endif
#if VM_COVERAGE
#include "verilated_cov.h"
#endif
#include <cstdint>
#include <memory>

namespace {

struct Dut {
    VerilatedContext context;
    std::unique_ptr<Vdut> top;
#if VM_TRACE_FST
    std::unique_ptr<VerilatedFstC> wave;
#endif
    // Cycles that waves show.
    uint64_t from, until;
    // Rising edges so far.
    uint64_t cycles = 0;
    // Is told how many there were.
    void (*progress)(const void*, uint64_t) = nullptr;
    const void* progress_of = nullptr;

    Dut(int argc, const char** argv, const char* wave_path, uint64_t from, uint64_t until)
        : from(from), until(until) {
        context.commandArgs(argc, argv);
        context.fatalOnError(false);
        context.traceEverOn(wave_path != nullptr);
        // Plusargs are looked up in the context of the thread.
        Verilated::threadContextp(&context);
        top.reset(new Vdut{&context, ""});
#if VM_TRACE_FST
        if (wave_path) {
            wave.reset(new VerilatedFstC);
            top->trace(wave.get(), 99);
            wave->open(wave_path);
        }
#endif
        settle();
    }

    ~Dut() {
        Verilated::threadContextp(&context);
#if VM_TRACE_FST
        if (wave) wave->close();
#endif
        top->final();
    }

    void dump() {
#if VM_TRACE_FST
        if (wave && from <= cycles && cycles < until) wave->dump(context.time());
#endif
    }

    // Propagates inputs with the clock low; outputs are then those of the coming rising edge.
    void settle() {
        Verilated::threadContextp(&context);
        top->EMPF_CLOCK = 0;
        top->eval();
        dump();
        context.timeInc(1);
    }

    // Rising edge after `settle`.
    void edge() {
        top->EMPF_CLOCK = 1;
        top->eval();
        dump();
        context.timeInc(1);
        if (!(++cycles % 1024)) tell();
    }

    void tell() {
        if (progress) progress(progress_of, cycles);
    }
};

}  // namespace

extern "C" {

void* empf_new(int argc, const char** argv, const char* wave_path, uint64_t from, uint64_t until) {
    return new Dut(argc, argv, wave_path, from, until);
}

void empf_watch(void* dut, void (*progress)(const void*, uint64_t), const void* progress_of) {
    static_cast<Dut*>(dut)->progress = progress;
    static_cast<Dut*>(dut)->progress_of = progress_of;
}

void empf_free(void* dut) { delete static_cast<Dut*>(dut); }

void empf_settle(void* dut) { static_cast<Dut*>(dut)->settle(); }

void empf_tick(void* dut) {
    static_cast<Dut*>(dut)->settle();
    static_cast<Dut*>(dut)->edge();
    static_cast<Dut*>(dut)->settle();
}

// 0 where the model keeps no account.
int empf_write_coverage(void* dut, const char* path) {
#if VM_COVERAGE
    static_cast<Dut*>(dut)->context.coveragep()->write(path);
#endif
    return VM_COVERAGE;
}

void* empf_port(void* dut, int index) { return port(*static_cast<Dut*>(dut)->top, index); }
}
