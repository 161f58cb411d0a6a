// C interface of a verilated model. Generated before this text: the ports, `empf_port` and EMPF_CLOCK.

#include "verilated.h"
#if VM_TRACE_FST
#include "verilated_fst_c.h"
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

    Dut(int argc, const char** argv, const char* wave_path) {
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
        if (wave) wave->dump(context.time());
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
    }
};

}  // namespace

extern "C" {

void* empf_new(int argc, const char** argv, const char* wave_path) { return new Dut(argc, argv, wave_path); }

void empf_free(void* dut) { delete static_cast<Dut*>(dut); }

void empf_settle(void* dut) { static_cast<Dut*>(dut)->settle(); }

void empf_tick(void* dut) {
    static_cast<Dut*>(dut)->settle();
    static_cast<Dut*>(dut)->edge();
    static_cast<Dut*>(dut)->settle();
}

void* empf_port(void* dut, int index) { return port(*static_cast<Dut*>(dut)->top, index); }
}
