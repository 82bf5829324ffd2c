/* The meter: what disturbs a CPU, in counts.
 *
 * One pinned thread spins on each CPU of --spin (test load: an idle isolated CPU proves nothing), one on the
 * housekeeping CPU of --control (positive control: a CPU that must show ticks, otherwise the counters are wrong).
 * The CPUs of --observe, which run other work, are only observed; the stand-ins on those of --wake are started for
 * as long as the run may take, and stopped at its end. The coordinating thread stays on --coordinator, reads the
 * kernel's counters before and after the window and prints one JSON document.
 *
 * Counts come from /proc/interrupts, /proc/softirqs, /proc/stat, getrusage(RUSAGE_THREAD) and
 * /proc/PID/task/TID/{stat,status,schedstat}. Every counter file is checked to be real procfs on the mount of
 * /proc itself (statfs type, device and mount id): a file bind-mounted over it must not be trusted.
 *
 * The spin never competes with the engine: before and during the window every task below --engine-cgroup is
 * examined, and if one may run on a CPU of --guard the spin stops at once ("aborted").
 * See Documentation/timers/no_hz.rst and Documentation/filesystems/proc.rst in the kernel tree. */
#include "meter_base.h"
#include "meter_proc.h"

/* --- the spin -------------------------------------------------------------------------------------------- */

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* CPU time of this thread; unlike rusage the kernel brings it up to date, also where the tick is off. */
static uint64_t cpu_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* The cheapest clock: under emulation clock_gettime is a system call and would disturb the measurement. */
static inline uint64_t ticks(void)
{
#if defined(__x86_64__)
	return __builtin_ia32_rdtsc();
#elif defined(__aarch64__)
	uint64_t value;

	__asm__ volatile("mrs %0, cntvct_el0" : "=r"(value));
	return value;
#else
	return now_ns();
#endif
}

static void spin_window(struct spinner *me)
{
	uint64_t begin_ns = now_ns(), begin = ticks(), last = begin, at, ran_ns = cpu_ns();

	getrusage(RUSAGE_THREAD, &me->before);
	atomic_store(&me->state, 2);
	for (last = ticks(); atomic_load_explicit(&phase, memory_order_relaxed) == MEASURE; last = at) {
		uint64_t gap;

		at = ticks();
		gap = at > last ? at - last : 0;
		me->hist[gap ? 63 - __builtin_clzll(gap) : 0]++;
		if (gap > me->gap_max)
			me->gap_max = gap;
		me->loops++;
	}
	getrusage(RUSAGE_THREAD, &me->after);
	me->run_ns = cpu_ns() - ran_ns;
	at = ticks();
	me->tick_ns = at > begin ? (double)(now_ns() - begin_ns) / (double)(at - begin) : 1.0;
	me->moved = sched_getcpu() != me->cpu;
}

static void *spin(void *argument)
{
	struct spinner *me = argument;
	cpus_t only = { 0 };

	add(&only, me->cpu);
	me->tid = gettid();
	if (!pin(0, &only)) {
		atomic_store(&me->state, -1);
		return NULL;
	}
	if (me->control) /* the housekeeping CPU has other work: use only its idle time */
		sched_setscheduler(0, SCHED_IDLE, &(struct sched_param){ 0 });
	atomic_store(&me->state, 1);
	while (atomic_load_explicit(&phase, memory_order_relaxed) == SETTLE)
		;
	if (atomic_load(&phase) == MEASURE)
		spin_window(me);
	atomic_store(&me->state, 3);
	return NULL;
}

/* Sleeps in small steps; false as soon as an engine task may run on a spinning CPU. */
static bool rest(long ms)
{
	for (uint64_t end = now_ns() + (uint64_t)ms * 1000000u; now_ns() < end;) {
		uint64_t left = (end - now_ns()) / 1000000u;
		long step = left < GUARD_POLL_MS ? (long)left + 1 : GUARD_POLL_MS;

		nanosleep(&(struct timespec){ .tv_nsec = step * 1000000L }, NULL);
		if (engine_on_guard(opt.engine_cgroup))
			return false;
	}
	return true;
}

/* Commands the stand-ins; one that does not listen shows up in the counts as an idle CPU. */
static void tell_standins(const char *format, long seconds)
{
	char text[32];
	int length = snprintf(text, sizeof text, format, seconds);
	int out = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	for (int cpu = 0; out >= 0 && cpu < CPU_MAX; cpu++)
		if (has(&opt.wake, cpu)) {
			struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons((uint16_t)(STANDIN_PORT_BASE + cpu)),
				                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };

			(void)sendto(out, text, (size_t)length, 0, (struct sockaddr *)&to, sizeof to);
		}
	if (out >= 0)
		close(out);
}

static void start_spinners(void)
{
	spinners = must(calloc(CPU_MAX, sizeof *spinners));
	for (int cpu = 0; cpu < CPU_MAX; cpu++)
		if (has(&opt.spin, cpu) || has(&opt.control, cpu))
			spinners[spinner_count++] = (struct spinner){ .cpu = cpu, .control = has(&opt.control, cpu) };
	for (size_t i = 0; i < spinner_count; i++)
		if ((errno = pthread_create(&spinners[i].thread, NULL, spin, &spinners[i])) != 0)
			fail("cannot start a thread: %s", strerror(errno));
}

/* Waits until every spinner has reached STATE; bounded, because a starved thread would otherwise hang the check. */
static void await(int state)
{
	uint64_t end = now_ns() + 20u * 1000000000u;

	for (size_t i = 0; i < spinner_count; i++)
		while (atomic_load(&spinners[i].state) < state) {
			if (atomic_load(&spinners[i].state) < 0)
				fail("cannot pin a thread to CPU %d", spinners[i].cpu);
			if (now_ns() > end)
				fail("the thread of CPU %d got no time for 20 s", spinners[i].cpu);
			nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
		}
}

/* --- the document ---------------------------------------------------------------------------------------- */

static void put_text(const char *text)
{
	putchar('"');
	for (; *text; text++)
		if ((unsigned char)*text < ' ' || (unsigned char)*text > '~' || *text == '"' || *text == '\\')
			printf("\\u%04x", (unsigned char)*text);
		else
			putchar(*text);
	putchar('"');
}

/* Counters are matched by number and name of the interrupt and by CPU, never by position: both change while we count.
 * They are unsigned int in the kernel (struct kernel_stat, irq_cpustat_t) and wrap as such. */
struct delta { bool known; uint32_t count; };

static const struct row *row_of(const struct table *table, const char *id)
{
	for (size_t i = 0; i < table->rows; i++)
		if (strcmp(table->row[i].id, id) == 0)
			return &table->row[i];
	return NULL;
}

/* The column of each CPU, -1 for one that the table lacks. */
static void columns_of(const struct table *table, int column[CPU_MAX])
{
	for (int cpu = 0; cpu < CPU_MAX; cpu++)
		column[cpu] = -1;
	for (size_t at = 0; at < table->columns; at++)
		if (table->cpu[at] >= 0 && table->cpu[at] < CPU_MAX)
			column[table->cpu[at]] = (int)at;
}

/* OLD is the row of that number before, NEW after the window; either may be missing. */
static struct delta delta_of(const struct row *old, int then, const struct row *new, int now)
{
	if (!new || now < 0)
		return (struct delta){ .known = false }; /* the interrupt or the CPU went */
	if (old && (then < 0 || strcmp(old->name, new->name) != 0))
		return (struct delta){ .known = false }; /* the CPU came, or the number is another device's now */
	return (struct delta){ .known = true,
			       .count = (uint32_t)new->count[now] - (old ? (uint32_t)old->count[then] : 0) };
}

static void put_row(const struct row *old, const int *then, const struct row *new, const int *now, bool first)
{
	const struct row *row = new ? new : old;

	printf("%s{\"id\":", first ? "" : ",");
	put_text(row->id);
	printf(",\"name\":");
	put_text(row->name);
	printf(",\"device\":%s,\"delta\":{", row->device ? "true" : "false");
	for (int cpu = 0, comma = 0; cpu < CPU_MAX; cpu++)
		if (has(&opt.measured, cpu)) {
			struct delta found = delta_of(old, then[cpu], new, now[cpu]);

			printf("%s\"%d\":", comma++ ? "," : "", cpu);
			found.known ? printf("%" PRIu32, found.count) : printf("null");
		}
	printf("}}");
}

static void put_table(const char *label, const struct table *before, const struct table *after)
{
	static int then[CPU_MAX], now[CPU_MAX];
	bool first = true;

	columns_of(before, then);
	columns_of(after, now);
	printf(",\"%s\":[", label);
	for (size_t i = 0; i < after->rows; i++, first = false)
		put_row(row_of(before, after->row[i].id), then, &after->row[i], now, first);
	for (size_t i = 0; i < before->rows; i++)
		if (!row_of(after, before->row[i].id)) { /* what fired until it went is not known, which is not nothing */
			put_row(&before->row[i], then, NULL, now, first);
			first = false;
		}
	putchar(']');
}

static void put_spinners(void)
{
	printf(",\"cpus\":[");
	for (size_t i = 0; i < spinner_count; i++) {
		const struct spinner *s = &spinners[i];

		printf("%s{\"cpu\":%d,\"mode\":\"%s\",\"loops\":%" PRIu64 ",\"gap_max_ns\":%.0f,\"tick_ns\":%.6f,"
		       "\"run_ns\":%" PRIu64 ",\"voluntary\":%ld,\"involuntary\":%ld,\"minor_faults\":%ld,\"major_faults\":%ld,"
		       "\"moved\":%s,\"gap_log2_ticks\":[",
		       i ? "," : "", s->cpu, s->control ? "control" : "spin", s->loops, (double)s->gap_max * s->tick_ns,
		       s->tick_ns, s->run_ns, s->after.ru_nvcsw - s->before.ru_nvcsw, s->after.ru_nivcsw - s->before.ru_nivcsw,
		       s->after.ru_minflt - s->before.ru_minflt, s->after.ru_majflt - s->before.ru_majflt,
		       s->moved ? "true" : "false");
		for (size_t bucket = 0; bucket < BUCKETS; bucket++)
			printf("%s%" PRIu64, bucket ? "," : "", s->hist[bucket]);
		printf("]}");
	}
	putchar(']');
}

static void put_tasks(const struct tasks *before, const struct tasks *after)
{
	bool first = true;

	printf(",\"tasks\":[");
	for (size_t i = 0; i < after->used; i++) {
		const struct task *now = &after->at[i], *old = NULL;

		for (size_t j = 0; j < before->used && !old; j++)
			if (before->at[j].tid == now->tid && before->at[j].pid == now->pid &&
			    before->at[j].started == now->started) /* a number may be another task's by now */
				old = &before->at[j];
		if (old && now->run_ns == old->run_ns && !now->engine)
			continue; /* on this CPU, but it did not run */
#define DELTA(field) (now->field - (old ? old->field : 0))
		printf("%s{\"pid\":%d,\"tid\":%d,\"cpu\":%d,\"engine\":%s,\"kernel\":%s,\"new\":%s,\"comm\":", first ? "" : ",", now->pid,
		       now->tid, now->cpu, now->engine ? "true" : "false", now->kernel ? "true" : "false",
		       old ? "false" : "true");
		first = false;
		put_text(now->comm);
		printf(",\"voluntary\":%" PRIu64 ",\"involuntary\":%" PRIu64 ",\"run_ns\":%" PRIu64
		       ",\"run_delay_ns\":%" PRIu64 ",\"minor_faults\":%" PRIu64 ",\"major_faults\":%" PRIu64 "}",
		       DELTA(voluntary), DELTA(involuntary), DELTA(run_ns), DELTA(delay_ns), DELTA(minor), DELTA(major));
#undef DELTA
	}
	putchar(']');
}

/* A CPU that has no line in one of the readings was offline there. */
static void put_steal(const char *comma, int cpu, uint64_t before, uint64_t after)
{
	if (before == UNKNOWN || after == UNKNOWN || after < before)
		printf("%s\"%d\":null", comma, cpu);
	else
		printf("%s\"%d\":%" PRIu64, comma, cpu, after - before);
}

static void put_evidence(void)
{
	printf("{\"schema\":1,\"meter\":\"" METER_VERSION "\",\"evidence\":{");
	for (size_t i = 0; i < sizeof EVIDENCE / sizeof *EVIDENCE; i++)
		printf("%s\"%s\":\"%s\"", i ? "," : "", EVIDENCE[i], provenance(EVIDENCE[i]));
	putchar('}');
}

/* The tick of each CPU: LOC of x86, or a per-CPU timer that is a numbered interrupt (checks/rows.py). */
static bool is_tick(const struct row *row)
{
	const char *word = strrchr(row->name, ' ');

	word = word ? word + 1 : row->name;
	return strcmp(row->id, "LOC") == 0 || strcmp(word, "arch_timer") == 0 || strcmp(word, "riscv-timer") == 0;
}

/* Timer interrupts of the control CPU between two readings. */
static uint64_t control_ticks(const struct table *before, const struct table *after)
{
	static int then[CPU_MAX], now[CPU_MAX];
	uint64_t sum = 0;

	columns_of(before, then);
	columns_of(after, now);
	for (size_t i = 0; i < after->rows; i++)
		for (int cpu = 0; is_tick(&after->row[i]) && cpu < CPU_MAX; cpu++)
			if (has(&opt.control, cpu)) {
				struct delta found =
					delta_of(row_of(before, after->row[i].id), then[cpu], &after->row[i], now[cpu]);

				sum += found.known ? found.count : 0;
			}
	return sum;
}

/* --- the run --------------------------------------------------------------------------------------------- */

static void measure(void)
{
	static uint64_t stolen[2][CPU_MAX];
	struct tasks tasks[2];
	struct table interrupts[2], softirqs[2];
	uint64_t begin, window;
	bool undisturbed;

	tell_standins("spin %ld", (opt.window_max_ms + opt.settle_ms) / 1000 + GRACE_S);
	start_spinners();
	await(1);
	undisturbed = rest(opt.settle_ms);
	tasks[0] = scan_tasks(true); /* of all CPUs: one that comes here in the window has a past elsewhere */
	atomic_store(&phase, undisturbed ? MEASURE : STOP);
	await(2);
	read_steal(stolen[0]);
	softirqs[0] = read_table("/proc/softirqs");
	interrupts[0] = read_table("/proc/interrupts");
	begin = now_ns();
	undisturbed = undisturbed && rest(opt.window_ms);
	for (;;) { /* a starved control proves nothing yet: extend the window, within bounds; budgets scale with it */
		window = now_ns() - begin;
		interrupts[1] = read_table("/proc/interrupts");
		if (!undisturbed || window >= (uint64_t)opt.window_max_ms * 1000000u ||
		    control_ticks(&interrupts[0], &interrupts[1]) >= (uint64_t)opt.control_min)
			break;
		undisturbed = rest(1000);
	}
	softirqs[1] = read_table("/proc/softirqs");
	read_steal(stolen[1]);
	atomic_store(&phase, STOP);
	await(3);
	tasks[1] = scan_tasks(false);
	tell_standins("rest", 0);
	put_evidence(); /* printed only once complete: an answer is either a measurement or an error */
	printf(",\"aborted\":%s,\"window_ns\":%" PRIu64, undisturbed ? "null" : "\"engine_task\"", window);
	put_table("interrupts", &interrupts[0], &interrupts[1]);
	put_table("softirqs", &softirqs[0], &softirqs[1]);
	printf(",\"steal_ticks\":{");
	for (int cpu = 0, comma = 0; cpu < CPU_MAX; cpu++)
		if (has(&opt.measured, cpu))
			put_steal(comma++ ? "," : "", cpu, stolen[0][cpu], stolen[1][cpu]);
	putchar('}');
	put_spinners();
	put_tasks(&tasks[0], &tasks[1]);
}

static void parse_options(int argc, char **argv)
{
	static const struct option known[] = {
		{ "spin", required_argument, 0, 's' },        { "observe", required_argument, 0, 'o' },
		{ "control", required_argument, 0, 'c' },     { "coordinator", required_argument, 0, 'm' },
		{ "guard", required_argument, 0, 'g' },       { "engine-cgroup", required_argument, 0, 'e' },
		{ "window-ms", required_argument, 0, 'w' },   { "settle-ms", required_argument, 0, 't' },
		{ "window-max-ms", required_argument, 0, 'x' }, { "control-min", required_argument, 0, 'n' },
		{ "wake", required_argument, 0, 'k' },        { "version", no_argument, 0, 'v' },
		{ 0, 0, 0, 0 },
	};

	for (int got; (got = getopt_long(argc, argv, "", known, NULL)) != -1;)
		switch (got) {
		case 's': parse_cpus(optarg, &opt.spin); break;
		case 'o': parse_cpus(optarg, &opt.observe); break;
		case 'k': parse_cpus(optarg, &opt.wake); break;
		case 'c': parse_cpus(optarg, &opt.control); break;
		case 'm': parse_cpus(optarg, &opt.coordinator); break;
		case 'g': parse_cpus(optarg, &opt.guard); break;
		case 'e': opt.engine_cgroup = optarg; break;
		case 'w': opt.window_ms = atol(optarg); break;
		case 't': opt.settle_ms = atol(optarg); break;
		case 'x': opt.window_max_ms = atol(optarg); break;
		case 'n': opt.control_min = atol(optarg); break;
		case 'v': puts(METER_VERSION); exit(0);
		default: fail("unknown option");
		}
	if (opt.window_ms <= 0 || opt.settle_ms < 0)
		fail("window and settle time must be positive");
	if (opt.window_max_ms < opt.window_ms)
		opt.window_max_ms = opt.window_ms;
	if (meet(&opt.spin, &opt.observe))
		fail("a CPU is either spun on or observed");
	for (size_t i = 0; i < CPU_MAX / WORD_BITS; i++) {
		opt.guard.word[i] |= opt.spin.word[i];
		opt.measured.word[i] = opt.spin.word[i] | opt.observe.word[i] | opt.control.word[i];
	}
}

int main(int argc, char **argv)
{
	cpus_t none = { 0 };

	parse_options(argc, argv);
	alarm((unsigned)((opt.window_max_ms + opt.settle_ms) / 1000 + GRACE_S)); /* never outlive a lost connection */
	if (memcmp(&opt.coordinator, &none, sizeof none) != 0 && !pin(0, &opt.coordinator))
		fail("cannot pin the coordinator: %s", strerror(errno));
	mallopt(M_MMAP_THRESHOLD, 1 << 30); /* unmapping memory would interrupt every spinning CPU (TLB shootdown) */
	mallopt(M_TRIM_THRESHOLD, 1 << 30);
	if (mlockall(MCL_CURRENT | MCL_FUTURE) != 0)
		errno = 0; /* not root: the fault counts show whether it mattered */
	if (engine_on_guard(opt.engine_cgroup))
		fail("an engine task may run on a CPU to be spun on");
	if (strcmp(provenance("/proc/interrupts"), "procfs") == 0)
		measure();
	else
		put_evidence();
	puts("}");
	return 0;
}
