// How a Classifier behaves as part of a server, on real posts.
//   loop     how long the event loop is held up while 10,000 texts are queued, beyond an idle loop: as one list, as so many calls, as a stream
//   latency  a single text alone, and beside a list of 2,000
//   calls    memory, open files and threads before and after 100,000 calls
//   npm run bench -- serving [loop latency calls] [--model DIR] [--texts 10000] [--calls 100000] [--json]
import { existsSync, readdirSync } from 'node:fs';
import { cpus, loadavg } from 'node:os';
import { dirname, join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

import { Classifier, Dataset } from '../dist/index.js';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const { values, positionals } = parseArgs({
	options: {
		model: { type: 'string', default: join(root, 'test', 'fixtures', 'tiny-model') },
		texts: { type: 'string', default: '10000' },
		calls: { type: 'string', default: '100000' },
		json: { type: 'boolean', default: false },
	},
	allowPositionals: true,
});

const posts = [];
for await (const { text } of Dataset.from(join(root, 'examples', 'depression', 'train.csv'))) posts.push(text);
const texts = (count) => Array.from({ length: count }, (_, i) => posts[i % posts.length]);

/** Longest delay of a timer of 10 ms while `work` runs, in milliseconds; an idle loop has one too. */
async function longestDelay(work) {
	const delay = monitorEventLoopDelay({ resolution: 10 });
	delay.enable();
	await pause(30); // counted from its first timer on
	await work();
	await pause(30);
	delay.disable();
	return delay.max / 1e6;
}

async function loop(classifier) {
	const many = texts(Number(values.texts));
	const ways = {
		idle: () => pause(2000),
		'one list': () => classifier.predict(many),
		'as many calls': () => Promise.all(many.map((text) => classifier.predict(text))),
		'a stream': async () => {
			for await (const _ of classifier.stream(many));
		},
	};
	const result = {};
	for (const [name, work] of Object.entries(ways)) {
		const started = performance.now();
		const longest = await longestDelay(work);
		result[name] = {
			longestDelayMs: longest,
			aboveIdleMs: longest - (result.idle?.longestDelayMs ?? longest),
			seconds: (performance.now() - started) / 1000,
		};
	}
	return result;
}

async function latency(classifier) {
	const timed = async () => {
		const started = performance.now();
		await classifier.predict('I feel fine today');
		return performance.now() - started;
	};
	const spread = (times) => {
		times.sort((a, b) => a - b);
		return { medianMs: times[Math.floor(times.length / 2)], slowestMs: times.at(-1), calls: times.length };
	};
	const alone = [];
	for (let i = 0; i < 50; i++) alone.push(await timed());
	const beside = [];
	let running = true;
	const list = classifier.predict(texts(2000)).finally(() => {
		running = false;
	});
	while (running) {
		await pause(7);
		beside.push(await timed());
	}
	await list;
	return { alone: spread(alone), 'beside a list': spread(beside.slice(0, -1)) };
}

async function calls(classifier) {
	const asked = Number(values.calls);
	const round = async (count) => {
		for (let done = 0; done < count; done += 100)
			await Promise.all(Array.from({ length: 100 }, (_, i) => classifier.predict(posts[(done + i) % 500])));
	};
	const state = () => ({
		residentMB: process.memoryUsage.rss() / 2 ** 20,
		...(existsSync('/proc/self/fd') ? { files: readdirSync('/proc/self/fd').length, threads: readdirSync('/proc/self/task').length } : {}),
		handles: process.getActiveResourcesInfo().length,
	});
	await round(20_000); // until V8 has sized its heap
	const before = state();
	const started = performance.now();
	await round(asked);
	const seconds = (performance.now() - started) / 1000;
	const after = state();
	return { before, after, grownMB: after.residentMB - before.residentMB, calls: asked, seconds };
}

const parts = { loop, latency, calls };
const results = { machine: `${cpus()[0].model} x ${cpus().length}, Node ${process.version}`, model: values.model, load: loadavg()[0] };
const classifier = await Classifier.load(values.model);
try {
	await classifier.predict(texts(500));
	for (const name of positionals.length > 0 ? positionals : Object.keys(parts)) results[name] = await parts[name](classifier);
} finally {
	await classifier.dispose();
}
const rounded = (_, value) => (typeof value === 'number' ? Number(value.toFixed(2)) : value);
console.log(values.json ? JSON.stringify(results) : JSON.stringify(results, rounded, '  '));
