// Training speed beside Transformers' Trainer on the same batches: at its defaults, at its best (rows grouped by length; bf16 where the
// processor has it). All sides stand ready at once and take a few steps in turn, each on fresh batches of real posts in seed-42 order.
//   npm run bench -- train [--model distilbert-base|minilm-l6] [--rounds 10] [--steps 2] [--warm-up 3]
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

import { Ceilings, hasBf16, keep, machine, median, root, sum, table } from './machine.mjs';
import { modelFolder } from './models.mjs';
import { peerPython } from './peers/environment.mjs';
import { Turns } from './turns.mjs';
import { operations, shapeOf } from './work.mjs';

const { values } = parseArgs({
	options: {
		model: { type: 'string', default: 'distilbert-base' },
		rounds: { type: 'string', default: '10' },
		steps: { type: 'string', default: '2' },
		'warm-up': { type: 'string', default: '3' },
	},
});
const [rounds, steps, warmUp] = [values.rounds, values.steps, values['warm-up']].map(Number);
const model = await modelFolder(values.model);
const shape = shapeOf(model);
const train = join(root, 'examples', 'depression', 'train.csv');
const folder = mkdtempSync(join(tmpdir(), 'distiltune-bench-'));

/** Two sides on the same batches: what ours is told, what theirs is. */
const pairs = [
	{ name: 'defaults', order: 'random', config: {}, peers: [{ name: 'Trainer, defaults', arguments: {} }] },
	{
		name: 'grouped',
		order: 'grouped by length',
		config: { groupByLength: true },
		peers: [{ name: 'Trainer, grouped by length', arguments: { train_sampling_strategy: 'group_by_length' } }],
	},
];
if (hasBf16) {
	for (const { peers } of pairs) {
		const [{ name, arguments: given }] = peers;
		peers.push({ name: `${name}, bf16`, arguments: { ...given, bf16: true } });
	}
}

function child(name, options, command, program) {
	const path = join(folder, `${name.replace(/\W+/g, '-')}.json`);
	writeFileSync(path, JSON.stringify({ model, train, warmUp, ...options }));
	return new Turns(command, [join(root, 'bench', program), path]);
}

/** All rounds of a pair; every side takes the same steps, one side after another. */
async function measured({ name, order, config, peers }, ceilings) {
	const total = warmUp + rounds * steps + 1;
	const python = peerPython();
	const sides = [
		{ name: 'distiltune', child: child(`ours-${name}`, { config: { ...config, maxSteps: total }, idleSeconds: 3 }, process.execPath, 'ours.mjs') },
	];
	try {
		await sides[0].child.next(); // one after another, so that no warm-up takes the cores from another
		for (const peer of peers) {
			const given = { arguments: { ...peer.arguments, max_steps: total } };
			const side = { name: peer.name, child: child(peer.name, given, python, join('peers', 'transformers_trainer.py')) };
			sides.push(side);
			await side.child.next();
		}
		const found = sides.map(() => []);
		const peaks = [];
		for (let round = 0; round < rounds; round++) {
			peaks.push((await ceilings.measure()).fp32);
			for (const [side, { child: each }] of sides.entries()) found[side].push(await each.take(steps));
			const [mine, theirs] = found.map((each) => each[round]);
			if (JSON.stringify(mine.tokens) !== JSON.stringify(theirs.tokens))
				throw new Error(`The batches differ: ${mine.tokens.join(', ')} tokens here, ${theirs.tokens.join(', ')} there`);
			console.error(`${name}, round ${round + 1}/${rounds}: ${found.map((each) => (sum(each[round].seconds) / steps).toFixed(3)).join(', ')} s a step`);
		}
		const words = [];
		for (const { child: each } of sides) words.push(await each.end());
		return told(order, sides, found, peaks, words);
	} finally {
		for (const { child: each } of sides) each.kill();
	}
}

function told(order, sides, found, peaks, words) {
	const [mine, theirs] = found;
	const work = theirs.map(({ lengths }) => sum(lengths.map((rows) => operations(shape, rows))));
	const padded = sum(theirs.flatMap(({ lengths }) => lengths.map((rows) => rows.length * Math.max(...rows))));
	const tokens = sum(mine.flatMap((turn) => turn.tokens));
	return {
		order,
		steps: rounds * steps,
		tokensPerStep: tokens / (rounds * steps),
		paddedTokensPerStep: padded / (rounds * steps),
		sides: sides.map(({ name }, side) => {
			const seconds = found[side].map((turn) => sum(turn.seconds));
			return {
				name,
				secondsPerStep: median(seconds) / steps,
				stepsPerSecond: (rounds * steps) / sum(seconds),
				tokensPerSecond: tokens / sum(seconds),
				ratio: median(seconds.map((each, round) => each / sum(mine[round].seconds))),
				shareOfPeak: median(seconds.map((each, round) => work[round] / each / (peaks[round] * 1e9))),
				...words[side],
				rounds: found[side].map((turn) => turn.seconds),
			};
		}),
	};
}

if (!hasBf16) console.error('This processor does not multiply bf16 itself: rows of bf16 are left out.');
const ceilings = await Ceilings.start();
const results = [];
try {
	for (const pair of pairs) results.push(await measured(pair, ceilings));
	await ceilings.measure();
} finally {
	ceilings.stop();
	rmSync(folder, { recursive: true, force: true });
}

const { cpu, cores, node } = machine();
const { versions } = results[0].sides[1];
console.log(`${values.model}, batch 8, real posts in seed-42 order, ${cpu} x ${cores}, Node ${node}`);
console.log(`peer: torch ${versions.torch}, transformers ${versions.transformers}, ${versions.threads} threads; ${ceilings.told}`);
const head = ['order', 'tokens (padded) a step', 'side', 's a step, median', 'steps/s', 'tokens/s', 'distiltune faster by', 'share of fp32 peak', 'peak MB'];
const lines = results.flatMap(({ order, tokensPerStep, paddedTokensPerStep, sides }) =>
	sides.map((side, place) => [
		order,
		`${tokensPerStep.toFixed(0)} (${paddedTokensPerStep.toFixed(0)})`,
		side.name,
		side.secondsPerStep.toFixed(3),
		side.stepsPerSecond.toFixed(3),
		side.tokensPerSecond.toFixed(0),
		place === 0 ? '' : `${side.ratio.toFixed(2)}x`,
		`${(100 * side.shareOfPeak).toFixed(0)}%`,
		(side.peakRssBytes / 1e6).toFixed(0),
	]),
);
console.log(table([head, ...lines]));
for (const { order, sides } of results) {
	const { idle, busy } = sides[0];
	const added = (name) => `${(busy[name] - idle[name]).toFixed(1)} ms`;
	console.log(`event loop, ${order}: p99 ${added('p99')}, longest ${added('max')} above an idle loop's (${idle.p99.toFixed(1)}, ${idle.max.toFixed(1)})`);
}
keep(`train-${values.model}`, { model: values.model, batch: 8, rounds, results, ceilings: ceilings.rounds, versions });
