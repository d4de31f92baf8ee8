// Whether training memory grows: resident memory at steps 100 and 1,000 of a run. The workspace is as large as the largest batch so far,
// so that stands beside it; in the second run texts are cut so short that batches hardly differ.
//   npm run bench -- memory
import { mkdtempSync, rmSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { Trainer } from '../dist/index.js';

const root = dirname(dirname(fileURLToPath(import.meta.url)));

async function measure(maxLength) {
	const outputDir = mkdtempSync(join(tmpdir(), 'distiltune-bench-'));
	const trainer = new Trainer({
		model: join(root, 'models', 'minilm-l6'),
		train: join(root, 'examples', 'depression', 'train.csv'),
		maxSteps: 1000,
		maxLength,
		outputDir,
		truncation: 'silent',
	});
	let largest = 0;
	try {
		for await (const event of trainer.fit()) {
			if (event.type !== 'step') continue;
			largest = Math.max(largest, event.tokens);
			if (event.step !== 100 && event.step !== 1000) continue;
			console.log(`| ${maxLength} | ${event.step} | ${largest} | ${(process.memoryUsage.rss() / 1e6).toFixed(0)} |`);
		}
	} finally {
		await trainer.dispose();
		rmSync(outputDir, { recursive: true, force: true });
	}
}

console.log(`minilm-l6, batch 8, seed 42, ${cpus()[0].model} x ${cpus().length}, Node ${process.version}`);
console.log('| longest row | step | largest batch so far, tokens | resident MB |\n|---|---|---|---|');
// The short rows first: memory that a process has had stays with it.
await measure(32);
await measure(512);
