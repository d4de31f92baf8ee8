/** What a sweep is asked for, checked as a whole before its first run. */
import { ConfigError } from '../errors.js';
import { faultOf, isSplit, nearestName, type OptionSpec } from '../option-check.js';
import { optionTable, resolveConfig, type TrainerConfig } from '../options.js';
import type { Goal } from './metric.js';
import { gridTrials, isRange, type Range, randomTrials, type Space, sizeOf, type Trial } from './space.js';

export interface SweepConfig {
	/** Options that all runs have; `outputDir` is the folder of the whole sweep, and `eval` has to be there. */
	readonly base: TrainerConfig;
	readonly space: Space;
	/** Runs to draw from `space`, from 1 to 1,000. @default every combination of its lists */
	readonly random?: number | undefined;
	/** Seeds what is drawn, and nothing else. @default 42 */
	readonly sweepSeed?: number | undefined;
	/** Number the runs are compared by, as the evaluation calls it. @default 'accuracy', else 'loss' */
	readonly metric?: string | undefined;
	/** @default 'minimize' for loss, brier, ece, mse and the like, else 'maximize' */
	readonly goal?: Goal | undefined;
	/** Whether hopeless runs are stopped early (median.ts). @default true */
	readonly medianStop?: boolean | undefined;
}

/** More runs than anyone waits for. */
const MOST_RUNS = 1000;

/** Options that every run of a sweep has to share: they say what is measured, and where things are written. */
const shared: readonly string[] = ['eval', 'labelColumn', 'problemType', 'outputDir'];

/**
 * The runs of a sweep, in order. Throws one ConfigError (OPTIONS_INVALID, `details.problems`) with all faults, those in `before` first.
 * `spell` turns an option's name into what the caller typed.
 */
export function planSweep(config: SweepConfig, spell: (name: string) => string = (name) => name, before: readonly string[] = []): Trial[] {
	const { base, space, random } = config;
	const ofSpace = [...before, ...spaceProblems(config, spell), ...amountProblems(config)];
	const sound = ofSpace.length === 0;
	const trials = !sound ? [] : random === undefined ? gridTrials(space) : randomTrials(space, random, config.sweepSeed ?? 42);
	const problems = new Set([...ofSpace, ...measureProblems(config, spell)]);
	// What is wrong between options shows only where they meet: each run is checked as a run of its own.
	for (const options of sound ? trials.map((trial) => trial.options) : [{}]) {
		for (const problem of problemsOf({ ...base, ...options }, spell)) problems.add(problem);
	}
	if (problems.size > 0) throw new ConfigError('OPTIONS_INVALID', [...problems].join('; '), { details: { problems: [...problems] } });
	return trials;
}

function problemsOf(config: TrainerConfig, spell: (name: string) => string): readonly string[] {
	try {
		resolveConfig(config, spell);
		return [];
	} catch (error) {
		const problems = error instanceof ConfigError ? error.details?.problems : undefined;
		if (!Array.isArray(problems)) throw error;
		return problems;
	}
}

/** What is wrong with single options and their values. */
function spaceProblems({ base, space, random }: SweepConfig, spell: (name: string) => string): string[] {
	const names = Object.keys(optionTable);
	return Object.entries(space).flatMap(([name, values]) => {
		const spec = Object.hasOwn(optionTable, name) ? (optionTable as Record<string, OptionSpec>)[name] : undefined;
		if (spec === undefined) {
			const nearest = nearestName(name, names);
			return [`There is no option \`${spell(name)}\` to sweep${nearest === undefined ? '' : `; did you mean \`${spell(nearest)}\`?`}`];
		}
		if (shared.includes(name)) return [`Expected all runs to share \`${spell(name)}\`, but it is swept`];
		const problems = isRange(values) ? rangeProblems(spec, values, random, spell(name)) : listProblems(spec, values, spell(name));
		if ((base as unknown as Record<string, unknown>)[name] !== undefined) problems.push(`Expected \`${spell(name)}\` to be given or swept, got both`);
		return problems;
	});
}

function listProblems(spec: OptionSpec, values: readonly unknown[], name: string): string[] {
	if (values.length === 0) return [`Expected values of \`${name}\` to sweep, got none`];
	return values.flatMap((value) => faultOf(spec, value, name) ?? []);
}

function rangeProblems(spec: OptionSpec, { low, high, distribution }: Range, random: number | undefined, name: string): string[] {
	const range = `${low}..${high}`;
	if (spec.kind !== 'number' && spec.kind !== 'integer')
		return [`Expected a list of values of \`${name}\`, which is no number, got the range ${range}`];
	const problems = [low, high].flatMap((end) => faultOf(spec, end, name) ?? []);
	if (random === undefined) problems.push(`Expected the number of runs to draw (random) beside a range of \`${name}\`, got none`);
	if (!(low <= high)) problems.push(`Expected a range of \`${name}\` to rise, got ${range}`);
	if (distribution === 'log_uniform' && !(low > 0)) problems.push(`Expected a log-uniform range of \`${name}\` to begin above 0, got ${range}`);
	if (spec.kind === 'integer' && distribution !== 'int_uniform')
		problems.push(`Expected a range of whole numbers of \`${name}\`, got ${distribution}`);
	if (distribution === 'int_uniform' && Math.ceil(low) > Math.floor(high)) problems.push(`Expected a whole number of \`${name}\` within ${range}`);
	return problems;
}

/** What is wrong with how many runs are asked for. */
function amountProblems({ space, random, sweepSeed = 42 }: SweepConfig): string[] {
	if (Object.keys(space).length === 0) return ['Expected options to sweep (grid, range), got none'];
	const problems: string[] = [];
	const size = sizeOf(space);
	if (random === undefined && Number.isFinite(size) && size > MOST_RUNS) {
		problems.push(`Expected at most ${MOST_RUNS} combinations, got ${size}; draw some of them with random`);
	}
	if (random !== undefined && !(Number.isSafeInteger(random) && random >= 1 && random <= MOST_RUNS)) {
		problems.push(`Expected \`random\` to be a whole number from 1 to ${MOST_RUNS}, got ${random}`);
	} else if (random !== undefined && random > size) {
		problems.push(`Expected \`random\` to be at most ${size}, the different runs there are, got ${random}`);
	}
	if (!Number.isSafeInteger(sweepSeed)) problems.push(`Expected \`sweepSeed\` to be a whole number, got ${sweepSeed}`);
	return problems;
}

/** What would keep runs from being compared. */
function measureProblems({ base, space, goal }: SweepConfig, spell: (name: string) => string): string[] {
	const problems: string[] = [];
	const swept = (name: string) => Object.hasOwn(space, name);
	if (base.eval === undefined)
		problems.push(`Expected \`${spell('eval')}\` to name rows to measure on, because runs are compared by it, got nothing`);
	if (base.evalStrategy === 'no' || (swept('evalStrategy') && [space.evalStrategy].flat().includes('no'))) {
		problems.push(`Expected \`${spell('evalStrategy')}\` to be epoch or steps, because runs are compared by their evaluations, got no`);
	}
	if (isSplit(base.eval)) {
		const moving = ['train', 'textColumn', 'dataSeed', ...(base.dataSeed === undefined ? ['seed'] : [])].filter(swept);
		for (const name of moving) {
			problems.push(
				name === 'seed'
					? `Expected \`${spell('dataSeed')}\` to be given where \`${spell('seed')}\` is swept, because it also draws the rows that are held back`
					: `Expected rows to measure on that do not hang on \`${spell(name)}\`, which is swept, got a share of the training rows`,
			);
		}
	}
	if (goal !== undefined && goal !== 'maximize' && goal !== 'minimize') problems.push(`Expected \`goal\` to be maximize or minimize, got ${goal}`);
	return problems;
}
