/* The meter's types, options and CPU lists; included by meter.c only. */
#ifndef METER_BASE_H
#define METER_BASE_H
#define _GNU_SOURCE
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <limits.h>
#include <malloc.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#define METER_VERSION "3"
#define CPU_MAX 8192
#define UNKNOWN UINT64_MAX
#define WORD_BITS (8 * sizeof(unsigned long))
#define PROCFS_TYPE 0x9fa0
#define GUARD_POLL_MS 100
#define STANDIN_PORT_BASE 47000 /* a stand-in takes commands on this port plus its CPU (engine/host/standin.py) */
#define GRACE_S 60
#define BUCKETS 64
#define KERNEL_THREAD 0x00200000 /* PF_KTHREAD in include/linux/sched.h, field 9 of /proc/PID/stat */

typedef struct { unsigned long word[CPU_MAX / WORD_BITS]; } cpus_t;
enum phase { SETTLE, MEASURE, STOP };

struct spinner {
	pthread_t thread;
	int cpu;
	bool control;
	pid_t tid;
	atomic_int state; /* 0 starting, 1 spinning, 2 measuring, 3 done, -1 could not be pinned */
	uint64_t loops, gap_max, run_ns, hist[BUCKETS];
	double tick_ns;
	struct rusage before, after;
	bool moved;
};

struct row { char *id, *name; bool device; uint64_t *count; };
struct table { size_t columns, rows; int *cpu; struct row *row; };
struct task {
	int pid, tid, cpu;
	bool engine, kernel;
	char comm[32];
	uint64_t started, minor, major, voluntary, involuntary, run_ns, delay_ns;
};
struct tasks { size_t used, room; struct task *at; };

static struct {
	cpus_t spin, observe, wake, control, coordinator, guard, measured;
	const char *engine_cgroup;
	long window_ms, window_max_ms, settle_ms, control_min;
} opt = { .engine_cgroup = "/sys/fs/cgroup/hft.slice/hft-engine.slice", .window_ms = 20000, .settle_ms = 3000 };

static atomic_int phase = SETTLE;
static struct spinner *spinners;
static size_t spinner_count;

static void fail(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));
static void fail(const char *format, ...)
{
	char text[512];
	va_list list;

	va_start(list, format);
	vsnprintf(text, sizeof text, format, list);
	va_end(list);
	for (char *c = text; *c; c++)
		if (*c == '"' || *c == '\\' || (unsigned char)*c < ' ')
			*c = '\'';
	printf("{\"schema\":1,\"meter\":\"" METER_VERSION "\",\"error\":\"%s\"}\n", text);
	fflush(stdout);
	_exit(3);
}

static void *must(void *memory)
{
	if (!memory)
		fail("out of memory");
	return memory;
}

/* --- CPU lists ------------------------------------------------------------------------------------------- */

static bool has(const cpus_t *set, int cpu)
{
	return cpu >= 0 && cpu < CPU_MAX && (set->word[cpu / WORD_BITS] >> (cpu % WORD_BITS) & 1);
}

static void add(cpus_t *set, int cpu) { set->word[cpu / WORD_BITS] |= 1UL << (cpu % WORD_BITS); }

static bool meet(const cpus_t *a, const cpus_t *b)
{
	for (size_t i = 0; i < CPU_MAX / WORD_BITS; i++)
		if (a->word[i] & b->word[i])
			return true;
	return false;
}

/* Plain lists only ("2-3,7"): the controller has already resolved everything the kernel's grammar allows. */
static void parse_cpus(const char *text, cpus_t *set)
{
	for (const char *at = text; *at;) {
		char *end;
		long first = strtol(at, &end, 10), last = first;

		if (end == at || first < 0)
			fail("not a CPU list: %s", text);
		if (*end == '-') {
			at = end + 1;
			last = strtol(at, &end, 10);
			if (end == at)
				fail("not a CPU list: %s", text);
		}
		if (last < first || last >= CPU_MAX || (*end && *end != ','))
			fail("not a CPU list: %s", text);
		for (long cpu = first; cpu <= last; cpu++)
			add(set, (int)cpu);
		at = *end ? end + 1 : end;
	}
}

static bool pin(pid_t tid, const cpus_t *set) { return sched_setaffinity(tid, sizeof *set, (const void *)set) == 0; }

#endif
