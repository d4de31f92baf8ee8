// distiltune's Trainer, measured in turns (turns.mjs): node ours.mjs OPTIONS.json
//   { model, train, config, warmUp }: `config` are options of Trainer; steps of the warm-up are not counted
// A turn is { seconds: [...], tokens: [...] } of its steps; the last words tell of memory.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

import { Trainer } from '../dist/index.js';

const { model, train, config, warmUp } = JSON.parse(readFileSync(process.argv[2], 'utf8'));
const say = (value) => process.stdout.write(`${JSON.stringify(value)}\n`);
const asked = createInterface({ input: process.stdin })[Symbol.asyncIterator]();

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
					say(turn);
					const { value, done } = await asked.next();
					if (done) return control.stop();
					left = Number(value);
					turn = { seconds: [], tokens: [] };
				}
				started = performance.now();
			},
		},
	],
});
try {
	await trainer.fit();
	await trainer.dispose();
	say({ peakRssBytes: process.resourceUsage().maxRSS * 1024 });
} finally {
	rmSync(outputDir, { recursive: true, force: true });
}
