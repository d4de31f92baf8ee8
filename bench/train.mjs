// Training speed beside Transformers' Trainer on the same batches of real posts, in random order and grouped by length, as its
// group_by_length groups them; with bf16 where the processor has it. All sides stand ready at once and take a step in turn.
//   npm run bench -- train [--model distilbert-base|minilm-l6] [--rounds 10] [--warm-up 3]
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

import { batchesOf, posts, spread, writeBatches } from './batches.mjs';
import { Ceilings, hasBf16, keep, machine, median, root, sum } from './machine.mjs';
import { modelFolder } from './models.mjs';
import { peerPython } from './peers/environment.mjs';
import { trainingTable } from './training-table.mjs';
import { Turns } from './turns.mjs';
import { operations, shapeOf } from './work.mjs';

const { values } = parseArgs({
	options: {
		model: { type: 'string', default: 'distilbert-base' },
		rounds: { type: 'string', default: '10' },
		'warm-up': { type: 'string', default: '3' },
	},
});
const [rounds, warmUp] = [Number(values.rounds), Number(values['warm-up'])];
const model = await modelFolder(values.model);
const shape = shapeOf(model);
const folder = mkdtempSync(join(tmpdir(), 'distiltune-bench-'));
const train = join(folder, 'train.csv');

const rows = await posts(model);
const random = batchesOf(rows);
const orders = [
	{ name: 'random', batches: spread(random, rounds, rows) },
	{ name: 'grouped by length', batches: spread(batchesOf(rows, { groupByLength: true }), rounds, rows) },
];
const batches = [...random.slice(0, warmUp), ...Array.from({ length: rounds }, (_, round) => orders.map((order) => order.batches[round])).flat()];
// One more, so that the run has not ended by itself when its last turn is asked for.
writeBatches(train, rows, [...batches, random[0]]);
const lengthsOf = (batch) => batch.map((row) => rows.lengths[row]);

const python = peerPython();
const ours = (name, dtype) => () => child(name, { config: { numTrainEpochs: 1, dtype } }, process.execPath, 'ours.mjs');
const trainer = (name, given) => () =>
	child(name, { arguments: { num_train_epochs: 1, ...given } }, python, join('peers', 'transformers_trainer.py'));
const sides = [
	{ name: 'distiltune', dtype: 'fp32', start: ours('distiltune', 'fp32') },
	{ name: 'Trainer', dtype: 'fp32', start: trainer('Trainer', {}) },
	...(hasBf16
		? [
				{ name: 'Trainer, bf16', dtype: 'bf16', start: trainer('Trainer-bf16', { bf16: true }) },
				{ name: 'distiltune, bf16', dtype: 'bf16', start: ours('distiltune-bf16', 'bf16') },
			]
		: []),
];
const oursNames = sides.map(({ name }) => name).filter((name) => name.startsWith('distiltune'));

function child(name, options, command, program) {
	const path = join(folder, `${name}.json`);
	writeFileSync(path, JSON.stringify({ model, train, warmUp, ...options }));
	return new Turns(command, [join(join(root, 'bench'), program), path]);
}

/** Seconds of every step of every side, by order; checks that all had the same batch. */
async function measure(ceilings) {
	for (const side of sides) {
		side.child = side.start();
		await side.child.next(); // one after another, so that no warm-up takes the cores from another
	}
	const seconds = orders.map(() => sides.map(() => []));
	const peaks = [];
	for (let round = 0; round < rounds; round++) {
		peaks.push(await ceilings.measure());
		for (const [place, { name, batches: drawn }] of orders.entries()) {
			const expected = sum(lengthsOf(drawn[round]));
			for (const [side, { child: each, name: who }] of sides.entries()) {
				const { seconds: taken, tokens } = await each.take(1);
				if (tokens[0] !== expected) throw new Error(`Expected a batch of ${expected} tokens, ${who} had one of ${tokens[0]}`);
				seconds[place][side].push(taken[0]);
			}
			const last = seconds[place].map((each) => each[round].toFixed(3));
			console.error(`round ${round + 1}/${rounds}, ${name}, ${expected} tokens: ${last.join(', ')} s`);
		}
	}
	for (const side of sides) side.words = await side.child.end();
	return { seconds, peaks };
}

/** By how much each of ours is faster than the side at `place`: of the sums, and the median over the batches. */
function ratiosOf(seconds, place) {
	const ratio = (name) => {
		const own = seconds[sides.findIndex((side) => side.name === name)];
		return { ofSums: sum(seconds[place]) / sum(own), median: median(seconds[place].map((each, round) => each / own[round])) };
	};
	return Object.fromEntries(oursNames.map((name) => [name, ratio(name)]));
}

function told({ name, batches: drawn }, seconds, peaks) {
	const lengths = drawn.map(lengthsOf);
	const tokens = sum(lengths.map(sum));
	return {
		order: name,
		steps: rounds,
		tokensPerStep: tokens / rounds,
		paddedTokensPerStep: sum(lengths.map((each) => each.length * Math.max(...each))) / rounds,
		sides: sides.map((side, place) => ({
			name: side.name,
			secondsPerStep: median(seconds[place]),
			stepsPerSecond: rounds / sum(seconds[place]),
			tokensPerSecond: tokens / sum(seconds[place]),
			ratios: oursNames.includes(side.name) ? {} : ratiosOf(seconds, place),
			shareOfPeak: median(seconds[place].map((each, round) => operations(shape, lengths[round]) / each / (peaks[round][side.dtype] * 1e9))),
			seconds: seconds[place],
		})),
	};
}

if (!hasBf16) console.error('This processor does not multiply bf16 itself: rows of bf16 are left out.');
const ceilings = await Ceilings.start();
let results;
try {
	const { seconds, peaks } = await measure(ceilings);
	results = orders.map((order, place) => told(order, seconds[place], peaks));
} finally {
	for (const { child: each } of sides) each?.kill();
	ceilings.stop();
	rmSync(folder, { recursive: true, force: true });
}

const { cpu, cores, node } = machine();
const { versions } = sides[1].words;
console.log(`${values.model}, batch 8, real posts in seed-42 order, ${cpu} x ${cores}, Node ${node}`);
console.log(`peer: torch ${versions.torch}, transformers ${versions.transformers}, ${versions.threads} threads; ${ceilings.told}`);
const memory = Object.fromEntries(sides.map(({ name, words }) => [name, words.peakRssBytes]));
console.log(trainingTable(results, memory));
keep(`train-${values.model}`, { model: values.model, batch: 8, rounds, results, memory, ceilings: ceilings.rounds, versions });
