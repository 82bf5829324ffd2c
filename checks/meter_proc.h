/* What the meter reads from the kernel: provenance of counter files, counters per CPU, tasks, the guard.
 * Included by meter.c only, so that `cc -static meter.c` stays the whole build. */
#ifndef METER_PROC_H
#define METER_PROC_H
/* --- evidence: is this file really the kernel's? ---------------------------------------------------------- */

static bool mount_id(int fd, uint64_t *id)
{
	struct statx info;

	if (statx(fd, "", AT_EMPTY_PATH, STATX_MNT_ID, &info) != 0 || !(info.stx_mask & STATX_MNT_ID))
		return false;
	*id = info.stx_mnt_id;
	return true;
}

/* "procfs", "foreign" (another file system or mount covers it) or "unreadable". */
static const char *provenance(const char *path)
{
	int root = open("/proc", O_RDONLY | O_DIRECTORY), fd = open(path, O_RDONLY);
	struct statfs fs = { 0 };
	struct stat mine, above;
	uint64_t id = 0, root_id = 0;
	const char *verdict = "procfs";

	if (root < 0 || fd < 0)
		verdict = "unreadable";
	else if (fstatfs(fd, &fs) != 0 || fs.f_type != PROCFS_TYPE || fstatfs(root, &fs) != 0 ||
		 fs.f_type != PROCFS_TYPE)
		verdict = "foreign";
	else if (fstat(fd, &mine) != 0 || fstat(root, &above) != 0 || mine.st_dev != above.st_dev)
		verdict = "foreign";
	else if (mount_id(fd, &id) && mount_id(root, &root_id) && id != root_id)
		verdict = "foreign";
	if (fd >= 0)
		close(fd);
	if (root >= 0)
		close(root);
	return verdict;
}

static const char *const EVIDENCE[] = { "/proc/interrupts", "/proc/softirqs", "/proc/stat", "/proc/cmdline" };

/* --- counters per CPU ------------------------------------------------------------------------------------ */

static void read_header(struct table *table, char *line)
{
	char *save = NULL;

	for (char *word = strtok_r(line, " \t\n", &save); word; word = strtok_r(NULL, " \t\n", &save)) {
		int cpu;

		if (sscanf(word, "CPU%d", &cpu) != 1)
			fail("header has %s where a CPU was expected", word);
		table->cpu = must(realloc(table->cpu, (table->columns + 1) * sizeof *table->cpu));
		table->cpu[table->columns++] = cpu;
	}
}

static void read_row(struct table *table, char *line)
{
	char *colon = strchr(line, ':'), *at;
	struct row *row;

	if (!colon)
		return;
	*colon = 0;
	table->row = must(realloc(table->row, (table->rows + 1) * sizeof *table->row));
	row = &table->row[table->rows++];
	row->id = must(strdup(line + strspn(line, " ")));
	row->device = isdigit((unsigned char)row->id[0]);
	row->count = must(calloc(table->columns, sizeof *row->count));
	at = colon + 1;
	for (size_t column = 0; column < table->columns; column++) {
		char *end;
		uint64_t value = strtoull(at, &end, 10);

		if (end == at)
			break; /* ERR and MIS have one column only */
		row->count[column] = value;
		at = end;
	}
	at += strspn(at, " ");
	at[strcspn(at, "\n")] = 0;
	row->name = must(strdup(at));
}

static struct table read_table(const char *path)
{
	struct table table = { 0 };
	FILE *file = fopen(path, "re");
	char *line = NULL;
	size_t room = 0;

	if (!file)
		fail("cannot read %s: %s", path, strerror(errno));
	for (bool first = true; getline(&line, &room, file) > 0; first = false)
		first ? read_header(&table, line) : read_row(&table, line);
	free(line);
	fclose(file);
	return table;
}

/* Time stolen by the hypervisor, in clock ticks, per CPU. */
static void read_steal(uint64_t *steal)
{
	FILE *file = fopen("/proc/stat", "re");
	char *line = NULL;
	size_t room = 0;

	for (int cpu = 0; cpu < CPU_MAX; cpu++)
		steal[cpu] = UNKNOWN;
	while (file && getline(&line, &room, file) > 0) {
		int cpu;
		uint64_t value;

		if (sscanf(line, "cpu%d %*u %*u %*u %*u %*u %*u %*u %" SCNu64, &cpu, &value) == 2 && cpu < CPU_MAX)
			steal[cpu] = value;
	}
	free(line);
	if (file)
		fclose(file);
}

/* --- tasks ----------------------------------------------------------------------------------------------- */

static size_t slurp(const char *path, char *text, size_t room)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t got = fd < 0 ? -1 : read(fd, text, room - 1);

	if (fd >= 0)
		close(fd);
	text[got > 0 ? got : 0] = 0;
	return got > 0 ? (size_t)got : 0;
}

static uint64_t number_after(const char *text, const char *label)
{
	const char *at = strstr(text, label);

	return at ? strtoull(at + strlen(label), NULL, 10) : 0;
}

/* Whether a control group (the text of /proc/PID/task/TID/cgroup) is the engine's slice or below it, from the root:
 * anybody may have a slice of that name in a place of his own. */
static bool is_engine(const char *groups)
{
	static const char SLICE[] = "0::/hft.slice/hft-engine.slice";

	for (const char *line = groups; line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL)
		if (strncmp(line, SLICE, sizeof SLICE - 1) == 0 && strchr("/\n", line[sizeof SLICE - 1]))
			return true; /* strchr finds the end of the text, too */
	return false;
}

/* Fills TASK from /proc/PID/task/TID; false when it is gone or, without EVERYWHERE, last ran on a CPU not measured. */
static bool read_task(struct task *task, bool everywhere)
{
	char path[96], text[4096], *comm, *end;
	unsigned flags;

	snprintf(path, sizeof path, "/proc/%d/task/%d/stat", task->pid, task->tid);
	if (!slurp(path, text, sizeof text) || !(comm = strchr(text, '(')) || !(end = strrchr(text, ')')))
		return false;
	*end = 0;
	snprintf(task->comm, sizeof task->comm, "%.31s", comm + 1);
	if (sscanf(end + 2,
		   "%*c %*d %*d %*d %*d %*d %u %" SCNu64 " %*u %" SCNu64 " %*u %*u %*u %*d %*d %*d %*d %*d %*d %" SCNu64
		   " %*u %*d %*u %*u %*u %*u %*u %*u %*u %*u %*u %*u %*u %*u %*u %*d %d",
		   &flags, &task->minor, &task->major, &task->started, &task->cpu) != 5 ||
	    (!everywhere && !has(&opt.measured, task->cpu)))
		return false;
	task->kernel = flags & KERNEL_THREAD;
	snprintf(path, sizeof path, "/proc/%d/task/%d/status", task->pid, task->tid);
	slurp(path, text, sizeof text);
	task->voluntary = number_after(text, "\nvoluntary_ctxt_switches:");
	task->involuntary = number_after(text, "\nnonvoluntary_ctxt_switches:");
	snprintf(path, sizeof path, "/proc/%d/task/%d/schedstat", task->pid, task->tid);
	slurp(path, text, sizeof text);
	sscanf(text, "%" SCNu64 " %" SCNu64, &task->run_ns, &task->delay_ns);
	snprintf(path, sizeof path, "/proc/%d/task/%d/cgroup", task->pid, task->tid);
	slurp(path, text, sizeof text);
	task->engine = is_engine(text);
	return true;
}

static void scan_process(struct tasks *tasks, int pid, bool everywhere)
{
	char path[64];
	struct dirent *entry;
	DIR *dir;

	snprintf(path, sizeof path, "/proc/%d/task", pid);
	if (!(dir = opendir(path)))
		return; /* gone meanwhile */
	while ((entry = readdir(dir))) {
		struct task task = { .pid = pid, .tid = atoi(entry->d_name) };

		if (task.tid <= 0 || pid == getpid() || !read_task(&task, everywhere))
			continue;
		if (tasks->used == tasks->room) {
			tasks->room = tasks->room ? 2 * tasks->room : 256;
			tasks->at = must(realloc(tasks->at, tasks->room * sizeof *tasks->at));
		}
		tasks->at[tasks->used++] = task;
	}
	closedir(dir);
}

static struct tasks scan_tasks(bool everywhere)
{
	struct tasks tasks = { 0 };
	struct dirent *entry;
	DIR *dir = opendir("/proc");

	if (!dir)
		fail("cannot list /proc: %s", strerror(errno));
	while ((entry = readdir(dir)))
		if (atoi(entry->d_name) > 0)
			scan_process(&tasks, atoi(entry->d_name), everywhere);
	closedir(dir);
	return tasks;
}

/* --- the guard: never compete with the engine ------------------------------------------------------------- */

static bool thread_meets_guard(const char *path)
{
	FILE *file = fopen(path, "re");
	bool met = false;
	int tid;

	while (file && !met && fscanf(file, "%d", &tid) == 1) {
		cpus_t allowed = { 0 };

		if (sched_getaffinity(tid, sizeof allowed, (void *)&allowed) > 0 || errno != ESRCH)
			met = meet(&allowed, &opt.guard);
	}
	if (file)
		fclose(file);
	return met;
}

static bool engine_on_guard(const char *dir_path)
{
	char path[PATH_MAX];
	struct dirent *entry;
	DIR *dir = opendir(dir_path);
	bool met = false;

	if (!dir)
		return false; /* no engine slice: nothing to guard */
	snprintf(path, sizeof path, "%s/cgroup.threads", dir_path);
	met = thread_meets_guard(path);
	while (!met && (entry = readdir(dir)))
		if (entry->d_type == DT_DIR && entry->d_name[0] != '.' &&
		    snprintf(path, sizeof path, "%s/%s", dir_path, entry->d_name) < (int)sizeof path)
			met = engine_on_guard(path);
	closedir(dir);
	return met;
}

#endif
