/** A diagnosis as people read it: what was looked at, then each finding with its numbers, its cause and the next command. */
import type { RunFinding } from '../../train/finding.js';
import type { RunFacts } from './facts.js';
import { figure, percent } from './view.js';

export interface LookedAt {
	readonly status: RunFacts['status'];
	readonly steps: number;
	readonly totalSteps: number;
	readonly trainRows: number;
	readonly evalRows: number;
	readonly evaluations: number;
	readonly curvePoints: number;
	/** Of the last evaluation; null where there is none. */
	readonly accuracy: number | null;
	/** Whether it is known how far the weights moved. */
	readonly weightsMeasured: boolean;
}

export const lookedAt = ({ status, points, totalSteps, rows, evaluations, moved }: RunFacts): LookedAt => ({
	status,
	steps: points.at(-1)?.step ?? 0,
	totalSteps,
	trainRows: rows.train,
	evalRows: rows.eval,
	evaluations: evaluations.length,
	curvePoints: points.length,
	accuracy: evaluations.at(-1)?.accuracy ?? null,
	weightsMeasured: moved !== undefined,
});

export function diagnosisText(file: string, facts: RunFacts, findings: readonly RunFinding[]): string {
	const seen = lookedAt(facts);
	const accuracy = seen.accuracy === null ? '' : `, the last with an accuracy of ${percent(seen.accuracy)}`;
	const ended = facts.error === undefined ? seen.status : `${seen.status} with ${facts.error.code}`;
	const looked = [
		`${file}: a run that is ${ended}, ${count(seen.steps)} of ${count(seen.totalSteps)} steps on ${count(seen.trainRows)} rows`,
		`Looked at: loss, gradient norm and learning rate of every step (${seen.curvePoints} points); ${
			seen.evaluations === 0
				? 'no evaluation'
				: `${seen.evaluations} evaluation${seen.evaluations === 1 ? '' : 's'} on ${count(seen.evalRows)} rows${accuracy}`
		}; rows of each label; rows on both sides${seen.weightsMeasured ? '; how far head and encoder moved' : ''}`,
	].join('\n');
	const sections = findings.length === 0 ? ['Nothing found.'] : findings.map(findingText);
	return [looked, ...sections].map(printable).join('\n\n');
}

function findingText({ code, symptom, evidence, cause, next, step, epoch }: RunFinding, index: number): string {
	const places = [...(step === undefined ? [] : [`step ${step}`]), ...(epoch === undefined ? [] : [`epoch ${figure(epoch)}`])];
	return [
		`${index + 1}. ${symptom}${places.length === 0 ? '' : ` (${places.join(', ')})`}  ${code}`,
		`   Evidence: ${evidence}`,
		`   Likely cause: ${cause}`,
		`   Next: ${next}`,
	].join('\n');
}

const count = (value: number): string => value.toLocaleString('en-US');
/** Labels and messages come from a file: nothing of them moves the cursor. */
const printable = (text: string): string => text.replace(/[\p{Cf}\p{Zl}\p{Zp}]|(?!\n)\p{Cc}/gu, '·');
