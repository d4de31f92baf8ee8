// distiltune's Trainer, measured in turns (turns.mjs): node ours.mjs OPTIONS.json
//   { model, train, config, warmUp, idleSeconds }: `config` are options of Trainer; steps of the warm-up are not counted
// A turn is { seconds: [...], tokens: [...] } of its steps; the last words tell of memory and of the event loop's delays.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { createInterface } from 'node:readline';
import { setTimeout as wait } from 'node:timers/promises';

import { Trainer } from '../dist/index.js';

const { model, train, config, warmUp, idleSeconds = 0 } = JSON.parse(readFileSync(process.argv[2], 'utf8'));
const say = (value) => process.stdout.write(`${JSON.stringify(value)}\n`);
const asked = createInterface({ input: process.stdin })[Symbol.asyncIterator]();

/** In milliseconds; the interval between two looks, 10 ms, is part of each. */
const delays = (histogram) => ({ median: histogram.percentile(50) / 1e6, p99: histogram.percentile(99) / 1e6, max: histogram.max / 1e6 });
const [idle, busy] = [monitorEventLoopDelay({ resolution: 10 }), monitorEventLoopDelay({ resolution: 10 })];
if (idleSeconds > 0) {
	idle.enable();
	await wait(idleSeconds * 1000);
	idle.disable();
}

let left = warmUp;
let turn = { seconds: [], tokens: [] };
let started = 0;
const outputDir = mkdtempSync(join(tmpdir(), 'distiltune-bench-'));
const trainer = new Trainer({
	model,
	train,
	outputDir,
	truncation: 'silent',
	saveStrategy: 'no',
	...config,
	callbacks: [
		{
			async step({ tokens }, control) {
				turn.seconds.push((performance.now() - started) / 1000);
				turn.tokens.push(tokens);
				if (--left === 0) {
					busy.disable();
					say(turn);
					const { value, done } = await asked.next();
					if (done) return control.stop();
					left = Number(value);
					turn = { seconds: [], tokens: [] };
					busy.enable();
				}
				started = performance.now();
			},
		},
	],
});
try {
	await trainer.fit();
	await trainer.dispose();
	say({ peakRssBytes: process.resourceUsage().maxRSS * 1024, idle: delays(idle), busy: delays(busy) });
} finally {
	rmSync(outputDir, { recursive: true, force: true });
}
