/** What a diagnosis reads of a run: its record, finished or under way, with every value checked, since run.json is a file from outside. */
import type { CurvePoint } from '../../train/curve.js';
import type { Moved } from '../../train/movement.js';

export interface EvaluationFacts {
	readonly step: number;
	readonly epoch: number;
	readonly rows: number;
	readonly loss: number;
	readonly epochLoss: number;
	/** undefined where the run measures no such thing, as what follows. */
	readonly accuracy: number | undefined;
	/** Rows by label (first index) and by what they were taken for. */
	readonly confusion: readonly (readonly number[])[] | undefined;
}

export interface RunFacts {
	readonly status: 'running' | 'finished' | 'interrupted' | 'failed';
	/** What a failed run ended with. */
	readonly error: { readonly code: string; readonly message: string } | undefined;
	/** As run.json has it, for commands. */
	readonly config: Readonly<Record<string, unknown>>;
	readonly problem: 'single_label_classification' | 'multi_label_classification' | 'regression';
	readonly labels: readonly string[];
	readonly stepsPerEpoch: number;
	readonly totalSteps: number;
	readonly rows: { readonly train: number; readonly perLabel: readonly number[] | undefined; readonly eval: number; readonly shared: number };
	readonly firstLoss: number | undefined;
	readonly points: readonly CurvePoint[];
	readonly epochs: readonly { readonly step: number; readonly epoch: number; readonly loss: number }[];
	readonly evaluations: readonly EvaluationFacts[];
	readonly moved: { readonly step: number; readonly head: Moved; readonly encoder: Moved } | undefined;
	/** Whether the model to start from had no head. */
	readonly newHead: boolean;
}

/** Thrown by `factsOf`: which value is not what a run leaves. */
export class NotARecord extends Error {}

/** Throws NotARecord. */
export function factsOf(record: unknown): RunFacts {
	const run = table(record, 'the record');
	const config = table(run.config, 'config');
	const plan = table(run.plan, 'plan');
	const rows = table(run.rows, 'rows');
	const curve = table(run.curve, 'curve');
	const labels = list(run.labels, 'labels').map((label) => text(label, 'labels'));
	return {
		status: oneOf(run.status, ['running', 'finished', 'interrupted', 'failed'] as const, 'status'),
		error: optional(run.error, (error) => {
			const { code, message } = table(error, 'error');
			return { code: text(code, 'error.code'), message: text(message, 'error.message') };
		}),
		config,
		problem: oneOf(
			config.problemType ?? 'single_label_classification',
			['single_label_classification', 'multi_label_classification', 'regression'] as const,
			'config.problemType',
		),
		labels,
		stepsPerEpoch: count(plan.stepsPerEpoch, 'plan.stepsPerEpoch'),
		totalSteps: count(plan.totalSteps, 'plan.totalSteps'),
		rows: {
			train: count(rows.train, 'rows.train'),
			perLabel: optional(rows.perLabel, (each) => list(each, 'rows.perLabel', labels.length).map((value) => count(value, 'rows.perLabel'))),
			eval: count(rows.eval, 'rows.eval'),
			shared: count(rows.shared, 'rows.shared'),
		},
		firstLoss: optional(curve.firstLoss, (value) => number(value, 'curve.firstLoss')),
		points: list(curve.points, 'curve.points').map(pointOf),
		epochs: list(run.epochs, 'epochs').flatMap((each) => {
			const { step, epoch, loss } = table(each, 'epochs');
			// A loss that is not finite is null in JSON: nothing is read off it.
			return loss === null || Number.isNaN(loss)
				? []
				: [{ step: count(step, 'epochs'), epoch: number(epoch, 'epochs'), loss: number(loss, 'epochs') }];
		}),
		evaluations: list(run.evaluations, 'evaluations').flatMap((each) => evaluationOf(each, labels.length)),
		moved: optional(run.movement, (movement) => {
			const { step, head, encoder } = table(movement, 'movement');
			return { step: count(step, 'movement.step'), head: movedOf(head, 'movement.head'), encoder: movedOf(encoder, 'movement.encoder') };
		}),
		newHead: list(run.drawnFromSeed, 'drawnFromSeed').some((name) => text(name, 'drawnFromSeed').startsWith('classifier.')),
	};
}

function pointOf(value: unknown): CurvePoint {
	const point = table(value, 'curve.points');
	const at = (name: keyof CurvePoint) => number(point[name], `curve.points: ${name}`);
	return {
		step: count(point.step, 'curve.points: step'),
		steps: Math.max(1, count(point.steps, 'curve.points: steps')),
		loss: at('loss'),
		lossSpread: at('lossSpread'),
		gradNorm: at('gradNorm'),
		gradNormMax: at('gradNormMax'),
		gradNormMaxStep: count(point.gradNormMaxStep, 'curve.points: gradNormMaxStep'),
		learningRate: at('learningRate'),
	};
}

function evaluationOf(value: unknown, labels: number): EvaluationFacts[] {
	const { step, epoch, rows, epochLoss, metrics } = table(value, 'evaluations');
	const { loss, accuracy, confusion } = table(metrics, 'evaluations: metrics');
	if (!isNumber(loss) || !isNumber(epochLoss)) return [];
	const matrix = optional(confusion, (matrix) =>
		list(matrix, 'evaluations: confusion', labels).map((counts) =>
			list(counts, 'evaluations: confusion', labels).map((each) => count(each, 'evaluations: confusion')),
		),
	);
	return [
		{
			step: count(step, 'evaluations: step'),
			epoch: number(epoch, 'evaluations: epoch'),
			rows: count(rows, 'evaluations: rows'),
			loss,
			epochLoss,
			accuracy: optional(accuracy, (share) => number(share, 'evaluations: accuracy')),
			confusion: matrix,
		},
	];
}

function movedOf(value: unknown, name: string): Moved {
	const { start, change } = table(value, name);
	return { start: number(start, name), change: number(change, name) };
}

const isNumber = (value: unknown): value is number => Number.isFinite(value);
const refused = (name: string, expected: string) => new NotARecord(`expected ${name} to be ${expected}`);

function table(value: unknown, name: string): Readonly<Record<string, unknown>> {
	if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
	throw refused(name, 'an object');
}

function list(value: unknown, name: string, length?: number): readonly unknown[] {
	if (Array.isArray(value) && (length === undefined || value.length === length)) return value;
	throw refused(name, length === undefined ? 'a list' : `a list of ${length}`);
}

function text(value: unknown, name: string): string {
	if (typeof value === 'string') return value;
	throw refused(name, 'text');
}

function number(value: unknown, name: string): number {
	if (isNumber(value)) return value;
	throw refused(name, 'a finite number');
}

function count(value: unknown, name: string): number {
	if (Number.isSafeInteger(value) && (value as number) >= 0) return value as number;
	throw refused(name, 'a whole number from 0 up');
}

function oneOf<Word extends string>(value: unknown, words: readonly Word[], name: string): Word {
	if (words.includes(value as Word)) return value as Word;
	throw refused(name, `one of ${words.join(', ')}`);
}

const optional = <Value>(value: unknown, read: (value: unknown) => Value): Value | undefined =>
	value === undefined || value === null ? undefined : read(value);
