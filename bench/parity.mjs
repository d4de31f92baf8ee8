// Trains with distiltune and with Transformers on the same rows, compares, and writes docs/parity.md.
//   npm run parity -- [--help]
import { parseArgs } from 'node:util';

import { gaps, requireClose, requireSameStart } from './parity/compare.mjs';
import { writePage } from './parity/page.mjs';
import { epochStage, run, stepStages, stored } from './parity/stages.mjs';

const help = `npm run parity -- [options]

  --only a|b         a: steps without dropout; b: the guide's three epochs (default: both)
  --steps N          steps of part a (default: 200)
  --seeds LIST       seeds of part b, both sides (default: 42)
  --our-seeds LIST   seeds of part b that distiltune alone is trained with as well (default: none)
  --split-by-length  on a slow machine: Transformers computes each batch in groups of rows of similar length, which leaves
                     its mean loss and gradient as they are and takes a third of the time
  --fresh            run again what is kept from an earlier call

Finished runs are kept in the cache; a call that was stopped goes on where it was. The page is written when both parts are there.`;

function readArguments() {
	const { values } = parseArgs({
		options: {
			only: { type: 'string' },
			steps: { type: 'string', default: '200' },
			seeds: { type: 'string', default: '42' },
			'our-seeds': { type: 'string', default: '' },
			'split-by-length': { type: 'boolean', default: false },
			fresh: { type: 'boolean', default: false },
			help: { type: 'boolean', default: false },
		},
	});
	const whole = (name, text) => {
		if (/^\d{1,9}$/.test(text)) return Number(text);
		throw new Error(`Expected --${name} to hold whole numbers, got ${JSON.stringify(text)}`);
	};
	const list = (name) =>
		values[name]
			.split(',')
			.filter((text) => text !== '')
			.map((text) => whole(name, text));
	if (![undefined, 'a', 'b'].includes(values.only)) throw new Error(`Expected --only to be a or b, got ${JSON.stringify(values.only)}`);
	const seeds = list('seeds');
	if (seeds.length === 0) throw new Error('Expected --seeds to name at least one seed, got none');
	const steps = whole('steps', values.steps);
	// 5,000 rows make 625 batches of 8; part a is about one epoch at most, since the order of its rows is one permutation.
	if (steps < 1 || steps > 625) throw new Error(`Expected --steps to be from 1 to 625, got ${steps}`);
	return { ...values, steps, seeds, ourSeeds: list('our-seeds').filter((seed) => !seeds.includes(seed)) };
}

/** Runs what is asked for, then gathers all that is kept. */
function main(options) {
	const steps = stepStages(options.steps, options['split-by-length']);
	const pairs = options.seeds.map((seed) => ({
		seed,
		ours: epochStage('ours', seed),
		theirs: epochStage('theirs', seed, options['split-by-length']),
	}));
	const alone = options.ourSeeds.map((seed) => ({ seed, ours: epochStage('ours', seed) }));
	const asked = [...Object.values(steps), ...[...pairs, ...alone].flatMap(({ ours, theirs }) => (theirs ? [ours, theirs] : [ours]))];
	for (const stage of asked) if (options.only === undefined || options.only === stage.part) run(stage, options);

	const results = new Map(asked.map((stage) => [stage, stored(stage)]));
	const missing = asked.filter((stage) => results.get(stage) === undefined).map(({ name }) => name);
	if (options.only !== 'b') compareSteps(results.get(steps.ours), results.get(steps.theirs), results.get(steps.again));
	if (missing.length > 0) return console.error(`docs/parity.md is as it was: it needs ${missing.join(', ')} too.`);
	for (const { ours, theirs } of pairs) requireSameStart(results.get(ours), results.get(theirs));
	const given = process.argv.slice(2).filter((argument) => argument !== '--fresh');
	writePage({
		steps: { ours: results.get(steps.ours), theirs: results.get(steps.theirs), again: results.get(steps.again) },
		epochs: [...pairs, ...alone].map(({ seed, ours, theirs }) => ({ seed, ours: results.get(ours), theirs: results.get(theirs) })),
		command: ['npm run parity', ...(given.length > 0 ? ['--', ...given] : [])].join(' '),
	});
	console.error('Wrote docs/parity.md');
}

function compareSteps(ours, theirs, again) {
	requireSameStart(ours, theirs);
	const [measured, yardstick] = [gaps(ours, theirs), gaps(again, theirs)];
	for (const name of ['loss', 'norm', 'logOdds']) {
		const { gap, index } = measured[name];
		console.error(`${name}: largest gap ${gap.toExponential(1)} at ${index + 1}; Transformers from itself ${yardstick[name].gap.toExponential(1)}`);
	}
	requireClose(measured, yardstick);
}

try {
	if (process.argv.includes('--help')) console.log(help);
	else main(readArguments());
} catch (error) {
	console.error(error.message);
	process.exitCode = 1;
}
