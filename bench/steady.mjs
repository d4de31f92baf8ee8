// What training does to the process it runs in: how late the event loop is, how much memory the largest batch of three epochs takes, and
// whether long rows cost more a token than short ones.
//   npm run bench -- steady [--model distilbert-base|minilm-l6] [--steps 8]
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as wait } from 'node:timers/promises';
import { parseArgs } from 'node:util';

import { Trainer } from '../dist/index.js';
import { batchesOf, batchSize, posts, writeBatches } from './batches.mjs';
import { keep, machine, median, root, sum, table } from './machine.mjs';
import { modelFolder } from './models.mjs';
import { Turns } from './turns.mjs';

const { values } = parseArgs({ options: { model: { type: 'string', default: 'distilbert-base' }, steps: { type: 'string', default: '8' } } });
const steps = Number(values.steps);
const model = await modelFolder(values.model);
const rows = await posts(model);
const folder = mkdtempSync(join(tmpdir(), 'distiltune-bench-'));
const file = (name) => join(folder, name);
const tokensOf = (batch) => sum(batch.map((row) => rows.lengths[row]));

/** In milliseconds, the interval between two looks, 10 ms, included. */
const told = (histogram) => ({
	looks: histogram.count,
	median: histogram.percentile(50) / 1e6,
	p99: histogram.percentile(99) / 1e6,
	max: histogram.max / 1e6,
});

/** How late the loop is, idle and between the first step and the last: opening a model and saving it are not training. */
async function eventLoop() {
	writeBatches(file('random.csv'), rows, batchesOf(rows).slice(0, steps));
	const [idle, busy] = [monitorEventLoopDelay({ resolution: 10 }), monitorEventLoopDelay({ resolution: 10 })];
	idle.enable();
	await wait(3000);
	idle.disable();
	const step = ({ step: taken }) => {
		if (taken === 1) busy.enable();
		if (taken === steps) busy.disable();
	};
	const options = { model, train: file('random.csv'), outputDir: file('out'), truncation: 'silent', numTrainEpochs: 1 };
	const trainer = new Trainer({ ...options, callbacks: [{ step }] });
	await trainer.fit();
	await trainer.dispose();
	return { idle: told(idle), busy: told(busy) };
}

/** A child that trains on `batches`: its words on memory, and the tokens a second of its steps. */
function child(name, batches, rowsOf = rows) {
	writeBatches(file(`${name}.csv`), rowsOf, [...batches, batches[0]]);
	writeFileSync(file(`${name}.json`), JSON.stringify({ model, train: file(`${name}.csv`), config: { numTrainEpochs: 1, dtype: 'fp32' }, warmUp: 1 }));
	return new Turns(process.execPath, [join(root, 'bench', 'ours.mjs'), file(`${name}.json`)]);
}

async function memory(name, batch) {
	const turns = child(name, [batch, batch, batch]);
	await turns.next();
	await turns.take(1);
	const { peakRssBytes } = await turns.end();
	return { tokens: tokensOf(batch), peakRssBytes };
}

/** Tokens a second at 8 rows of 512 and of 64, in turns. */
async function lengths() {
	const text = rows.texts.join(' ').replaceAll(/\s+/g, ' ').split(' ');
	const made = (words) => ({
		texts: Array.from({ length: batchSize }, (_, row) => text.slice(row * 600, row * 600 + words).join(' ')),
		labels: Array.from({ length: batchSize }, (_, row) => rows.labels[row]),
	});
	const batch = Array.from({ length: batchSize }, (_, row) => row);
	const turns = (name, made) => child(name, new Array(steps + 1).fill(batch), made);
	// 600 words are more than 512 tokens, and are cut; 45 words are near 64 tokens.
	const sides = [turns('short', made(45)), turns('long', made(600))];
	const rates = [[], []];
	for (const side of sides) await side.next();
	for (let step = 0; step < steps; step++) {
		for (const [place, side] of sides.entries()) {
			const { seconds, tokens } = await side.take(1);
			rates[place].push({ tokens: tokens[0], rate: tokens[0] / seconds[0] });
		}
	}
	const words = [];
	for (const side of sides) words.push(await side.end());
	const [short, long] = rates.map((each, place) => ({
		tokens: each[0].tokens,
		tokensPerSecond: median(each.map(({ rate }) => rate)),
		peakRssBytes: words[place].peakRssBytes,
	}));
	return { short, long, ratio: median(rates[1].map(({ rate }, step) => rate / rates[0][step].rate)) };
}

let result;
try {
	const all = [0, 1, 2].flatMap((epoch) => batchesOf(rows, { epoch }));
	const largest = all.reduce((most, batch) => (tokensOf(batch) > tokensOf(most) ? batch : most));
	result = { eventLoop: await eventLoop(), memory: await memory('largest', largest), lengths: await lengths() };
} finally {
	rmSync(folder, { recursive: true, force: true });
}

const { cpu, cores, node, loadAverage } = machine();
const { idle, busy } = result.eventLoop;
const { short, long, ratio } = result.lengths;
const megabytes = (bytes) => `${(bytes / 1e6).toFixed(0)} MB`;
const late = (name) => [`event loop, ${name} above an idle loop's ${idle[name].toFixed(1)} ms`, `${(busy[name] - idle[name]).toFixed(1)} ms`];
console.log(`${values.model}, batch 8, ${cpu} x ${cores}, Node ${node}, load ${loadAverage.toFixed(1)}`);
console.log(
	table([
		['', ''],
		late('p99'),
		late('max'),
		[`peak memory, largest batch of three epochs in seed-42 order (${result.memory.tokens} tokens)`, megabytes(result.memory.peakRssBytes)],
		[`peak memory, ${long.tokens} tokens`, megabytes(long.peakRssBytes)],
		[`tokens a second, ${long.tokens} tokens in 8 rows`, long.tokensPerSecond.toFixed(0)],
		[`tokens a second, ${short.tokens} tokens in 8 rows`, short.tokensPerSecond.toFixed(0)],
		['the first over the second', ratio.toFixed(2)],
	]),
);
keep(`steady-${values.model}`, { model: values.model, batch: 8, steps, ...result });
