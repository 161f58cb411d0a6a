// Whole inferences through the AXI ports of the accelerator, driven in C for speed. Generated before this text: the
// top's signals, EMPF_TAPS and `lanes_show`.

#include <cstddef>
#include <vector>

namespace {

// One bank written to the activation memory.
struct Write {
    uint64_t data;
    uint64_t cycle;
    uint32_t step;
    uint32_t bank;
    uint32_t address;
    uint32_t unused;
};
static_assert(sizeof(Write) == 32 && offsetof(Write, address) == 24, "as `Write` in record.rs");

// A position that came by a tap of the lanes.
struct Passed {
    uint64_t cycle;
    uint32_t step;
    uint32_t unused;
};
static_assert(sizeof(Passed) == 16 && offsetof(Passed, step) == 8, "as `Passed` in record.rs");

// What is seen of an inference.
struct Record {
    std::vector<Write> writes;
    // Cycles in which logits were taken.
    std::vector<uint64_t> logits;
    // Of each tap, positions and a value of each lane.
    std::vector<Passed> passed[EMPF_TAPS];
    std::vector<uint32_t> values[EMPF_TAPS];

    void clear() {
        writes.clear();
        logits.clear();
        for (auto& positions : passed) positions.clear();
        for (auto& of_tap : values) of_tap.clear();
    }
};

enum Status : int {
    DONE = 0,
    INPUT_REFUSED = 1,
    NO_RESULT = 2,
    CONTROL_REFUSED = 3,
    LAST_MISPLACED = 4,
    // The accelerator broke a rule of AXI on one of its channels.
    UNSTABLE_M_AXIS = 5,
    UNSTABLE_B = 6,
    UNSTABLE_R = 7,
    VALID_IN_RESET = 8,
    NOT_READY = 9,
};

enum Register : uint8_t { CONTROL = 0x00, STATUS = 0x04, CYCLES = 0x08, BUILD_ID = 0x0c };

// Cycles within which the control port must answer.
constexpr int CONTROL_PATIENCE = 256;

// A channel that the accelerator drives: what is offered stays, unchanged, until it is taken.
struct Channel {
    bool waits = false;
    uint64_t payload = 0;

    bool stable(bool valid, bool ready, uint64_t offered) {
        bool kept = !waits || (valid && offered == payload);
        waits = valid && !ready;
        payload = offered;
        return kept;
    }
};

struct Run {
    Dut& dut;
    Vdut& top;
    // Nothing is kept where it is null.
    Record* record;
    // The lanes are looked at too.
    bool probes;
    uint64_t stall_seed;
    uint64_t cycles = 0;
    Channel m_axis, b, r;
    // The run is left in this cycle.
    uint64_t end = UINT64_MAX;
    // First rule that was broken.
    Status broken = DONE;

    void rule(bool kept, Status status) {
        if (!kept && !broken) broken = status;
    }

    void check_rules() {
        rule(m_axis.stable(top.m_axis_tvalid, top.m_axis_tready,
                           uint64_t{top.m_axis_tdata} << 1 | top.m_axis_tlast), UNSTABLE_M_AXIS);
        rule(b.stable(top.s_axil_bvalid, top.s_axil_bready, top.s_axil_bresp), UNSTABLE_B);
        rule(r.stable(top.s_axil_rvalid, top.s_axil_rready,
                      uint64_t{top.s_axil_rdata} << 2 | top.s_axil_rresp), UNSTABLE_R);
    }

    // Records what the coming edge writes, then ticks.
    void tick() {
        check_rules();
        const auto& root = *top.rootp;
        if (uint64_t banks = record ? root.empf_top__DOT__act_write_en : 0) {
            for (uint32_t bank = 0; banks >> bank; bank++) {
                if (!(banks >> bank & 1)) continue;
                record->writes.push_back({root.empf_top__DOT__act_write_data, cycles, root.empf_top__DOT__step,
                                          bank, root.empf_top__DOT__act_write_addr, 0});
            }
        }
        if (probes) {
            lanes_show(root, [&](int tap, std::initializer_list<uint32_t> values) {
                record->passed[tap].push_back({cycles, root.empf_top__DOT__step, 0});
                record->values[tap].insert(record->values[tap].end(), values);
            });
        }
        dut.edge();
        cycles++;
    }

    // True in one of two cycles at random where stalls are asked for.
    bool stalled() {
        if (!stall_seed) return false;
        stall_seed ^= stall_seed << 13;
        stall_seed ^= stall_seed >> 7;
        stall_seed ^= stall_seed << 17;
        return stall_seed >> 32 & 1;
    }

    // Holds reset for `held` cycles.
    void reset(int held) {
        top.s_axis_tvalid = top.m_axis_tready = 0;
        top.s_axil_awvalid = top.s_axil_wvalid = top.s_axil_bready = 0;
        top.s_axil_arvalid = top.s_axil_rready = 0;
        top.aresetn = 0;
        for (int i = 0; i < held; i++) {
            dut.settle();
            rule(i == 0 || !(top.m_axis_tvalid || top.s_axil_bvalid || top.s_axil_rvalid), VALID_IN_RESET);
            dut.edge();
        }
        top.aresetn = 1;
        m_axis = b = r = Channel{};
    }

    // Address and data are offered in any order where stalls are asked for, else at once.
    bool write(uint8_t address, uint32_t value, uint8_t strobe = 0xf) {
        top.s_axil_awaddr = address;
        top.s_axil_wdata = value;
        top.s_axil_wstrb = strobe;
        bool address_waits = true, data_waits = true;
        for (int i = 0; i < CONTROL_PATIENCE && cycles < end; i++) {
            top.s_axil_awvalid = address_waits && (top.s_axil_awvalid || !stalled());
            top.s_axil_wvalid = data_waits && (top.s_axil_wvalid || !stalled());
            top.s_axil_bready = !stalled();
            dut.settle();
            rule(i > 0 || (top.s_axil_awready && top.s_axil_wready), NOT_READY);
            if (top.s_axil_awvalid && top.s_axil_awready) address_waits = false;
            if (top.s_axil_wvalid && top.s_axil_wready) data_waits = false;
            bool answered = top.s_axil_bvalid && top.s_axil_bready;
            tick();
            if (answered) {
                top.s_axil_awvalid = top.s_axil_wvalid = top.s_axil_bready = 0;
                return !address_waits && !data_waits;
            }
        }
        return false;
    }

    bool read(uint8_t address, uint32_t& value) {
        top.s_axil_araddr = address;
        top.s_axil_arvalid = 1;
        for (int i = 0; i < CONTROL_PATIENCE; i++) {
            top.s_axil_rready = !stalled();
            dut.settle();
            rule(i > 0 || top.s_axil_arready, NOT_READY);
            bool taken = top.s_axil_arready, answered = top.s_axil_rvalid && top.s_axil_rready;
            value = top.s_axil_rdata;
            tick();
            if (taken) top.s_axil_arvalid = 0;
            if (answered) {
                top.s_axil_rready = 0;
                return true;
            }
        }
        return false;
    }

    bool send(const uint8_t* input, size_t bytes, uint64_t limit) {
        for (size_t sent = 0; sent < bytes;) {
            if (cycles > limit || cycles == end) return false;
            top.s_axis_tvalid = !stalled();
            top.s_axis_tdata = input[sent];
            top.s_axis_tlast = sent + 1 == bytes;
            dut.settle();
            if (top.s_axis_tvalid && top.s_axis_tready) sent++;
            tick();
        }
        top.s_axis_tvalid = 0;
        return true;
    }

    Status receive(int32_t* logits, size_t count, uint64_t limit) {
        for (size_t received = 0; received < count;) {
            if (cycles > limit) return NO_RESULT;
            top.m_axis_tready = !stalled();
            dut.settle();
            if (top.m_axis_tvalid && top.m_axis_tready) {
                logits[received++] = static_cast<int32_t>(top.m_axis_tdata);
                if (record) record->logits.push_back(cycles);
                if (top.m_axis_tlast != (received == count)) return LAST_MISPLACED;
            }
            tick();
        }
        top.m_axis_tready = 0;
        return DONE;
    }
};

}  // namespace

extern "C" {

int empf_reset(void* handle, int held) {
    auto& dut = *static_cast<Dut*>(handle);
    Run run{dut, *dut.top, nullptr, false, 0};
    run.reset(held);
    return run.broken;
}

// Sends an input and starts, and leaves it there after `cycles` cycles; the receiver is ready, then and later.
int empf_begin(void* handle, const uint8_t* input, size_t bytes, uint64_t cycles) {
    auto& dut = *static_cast<Dut*>(handle);
    Run run{dut, *dut.top, nullptr, false, 0};
    run.end = cycles;
    run.top.m_axis_tready = 1;
    run.send(input, bytes, cycles);
    run.write(CONTROL, 1);
    while (run.cycles < cycles) {
        dut.settle();
        run.tick();
    }
    return run.broken;
}

// One inference. `counted` becomes the accelerator's cycle counter, `simulated` the cycles simulated.
// What is seen is kept in `record` until the next call, of the lanes too where `probes` is set.
int empf_run(void* handle, const uint8_t* input, size_t bytes, int32_t* logits, size_t count, uint64_t limit,
             uint64_t stall_seed, int probes, uint32_t* counted, uint64_t* simulated, Record* record) {
    auto& dut = *static_cast<Dut*>(handle);
    if (record) record->clear();
    Run run{dut, *dut.top, record, record && probes, stall_seed};
    auto ended = [&](Status status) {
        *simulated = run.cycles;
        dut.tell();
        return run.broken ? run.broken : status;
    };
    if (!run.send(input, bytes, limit)) return ended(INPUT_REFUSED);
    if (!run.write(CONTROL, 1)) return ended(CONTROL_REFUSED);
    if (Status status = run.receive(logits, count, limit)) return ended(status);
    // The schedule's end is read after the last logit; until then the counter runs.
    for (uint32_t status = 1; status & 1;) {
        if (!run.read(STATUS, status)) return ended(CONTROL_REFUSED);
        if (run.cycles > limit) return ended(NO_RESULT);
    }
    if (!run.read(CYCLES, *counted)) return ended(CONTROL_REFUSED);
    return ended(DONE);
}

// Single transfers at the ports.
int empf_send(void* handle, const uint8_t* input, size_t bytes, uint64_t limit) {
    auto& dut = *static_cast<Dut*>(handle);
    Run run{dut, *dut.top, nullptr, false, 0};
    bool sent = run.send(input, bytes, limit);
    run.top.s_axis_tvalid = 0;
    return run.broken ? run.broken : sent ? DONE : INPUT_REFUSED;
}

int empf_receive(void* handle, int32_t* logits, size_t count, uint64_t limit) {
    auto& dut = *static_cast<Dut*>(handle);
    Run run{dut, *dut.top, nullptr, false, 0};
    Status status = run.receive(logits, count, limit);
    return run.broken ? run.broken : status;
}

int empf_wait(void* handle, uint64_t cycles) {
    auto& dut = *static_cast<Dut*>(handle);
    Run run{dut, *dut.top, nullptr, false, 0};
    while (run.cycles < cycles) {
        dut.settle();
        run.tick();
    }
    return run.broken;
}

int empf_write(void* handle, uint8_t address, uint32_t value, uint8_t strobe) {
    auto& dut = *static_cast<Dut*>(handle);
    Run run{dut, *dut.top, nullptr, false, 0};
    bool written = run.write(address, value, strobe);
    return run.broken ? run.broken : written ? DONE : CONTROL_REFUSED;
}

int empf_read(void* handle, uint8_t address, uint32_t* value) {
    auto& dut = *static_cast<Dut*>(handle);
    Run run{dut, *dut.top, nullptr, false, 0};
    bool read = run.read(address, *value);
    return run.broken ? run.broken : read ? DONE : CONTROL_REFUSED;
}

Record* empf_record_new() { return new Record; }

void empf_record_free(Record* record) { delete record; }

const Write* empf_writes(const Record* record, size_t* count) {
    *count = record->writes.size();
    return record->writes.data();
}

const uint64_t* empf_logits(const Record* record, size_t* count) {
    *count = record->logits.size();
    return record->logits.data();
}

const Passed* empf_passed(const Record* record, int tap, size_t* count) {
    *count = record->passed[tap].size();
    return record->passed[tap].data();
}

const uint32_t* empf_values(const Record* record, int tap, size_t* count) {
    *count = record->values[tap].size();
    return record->values[tap].data();
}
}
